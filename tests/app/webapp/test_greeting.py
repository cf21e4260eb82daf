"""The page and its JSON twin."""

from flask.testing import FlaskClient
from webapp import create_app
from webapp.config import Config
from webapp.greeting import MESSAGE


def test_the_page_greets_and_says_version_pod_and_environment(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    for text in (MESSAGE, "1.2.3", "webapp-0", "test"):
        assert f">{text}<" in response.text


def test_the_json_says_the_same_as_the_page(client: FlaskClient) -> None:
    response = client.get("/api/info")
    assert response.json == {"message": MESSAGE, "version": "1.2.3", "pod": "webapp-0", "environment": "test"}


def test_the_page_escapes_what_it_shows() -> None:
    config = Config(version="<script>alert(1)</script>", pod='"><img src=x>')
    page = create_app(config).test_client().get("/").text
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "http:" not in page
    assert "https:" not in page
    assert 'src="' not in page
