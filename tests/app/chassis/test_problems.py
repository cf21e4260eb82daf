"""Errors: problem details under /api, pages elsewhere."""

import pytest
from flask import Flask
from flask.testing import FlaskClient


@pytest.fixture
def broken(app: Flask) -> FlaskClient:
    """A client of the app with one page and one API route that raise."""

    def fail() -> str:
        raise RuntimeError("the text of the exception")

    app.add_url_rule("/broken", "broken", fail)
    app.add_url_rule("/api/broken", "api_broken", fail)
    return app.test_client()


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/api", 404, "Not Found"),
        ("GET", "/api/unknown", 404, "Not Found"),
        ("DELETE", "/api/info", 405, "Method Not Allowed"),
        ("GET", "/api/broken", 500, "Internal Server Error"),
    ],
)
def test_an_error_under_api_is_problem_details(
    broken: FlaskClient, method: str, path: str, status: int, title: str
) -> None:
    response = broken.open(path, method=method, headers={"X-Request-ID": "abc"})
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert problem.pop("detail")
    assert problem == {"type": "about:blank", "title": title, "status": status, "request_id": "abc"}


@pytest.mark.parametrize(("path", "status"), [("/unknown", 404), ("/apiary", 404), ("/broken", 500)])
def test_an_error_elsewhere_is_a_page(broken: FlaskClient, path: str, status: int) -> None:
    response = broken.get(path)
    assert response.status_code == status
    assert response.mimetype == "text/html"


def test_a_405_says_which_methods_are_allowed(client: FlaskClient) -> None:
    assert "GET" in client.delete("/api/info").headers["Allow"]


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
def test_no_answer_shows_the_text_of_an_exception(broken: FlaskClient, path: str) -> None:
    assert "the text of the exception" not in broken.get(path).text
