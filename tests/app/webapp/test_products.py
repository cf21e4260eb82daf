"""The products on the page: what the catalog says, and what is shown when it says nothing."""

import json
import time
from collections.abc import Iterator

import pytest
from chassis.client import FAILURES
from chassis.config import Call
from flask.testing import FlaskClient
from webapp import create_app, products
from webapp.config import Config
from webapp.greeting import MESSAGE

from tests.app.callee import Callee, Reply, running
from tests.app.gunicorn_process import free_port

UNAVAILABLE = "Products are unavailable at the moment."
CUP = {"sku": "CUP", "name": "Cup <b>", "description": "Holds 0.2 l", "price_cents": 123405, "currency": "EUR"}


def page_of(*items: dict[str, object]) -> Reply:
    return Reply(body=json.dumps({"items": items, "next": None}).encode())


@pytest.fixture
def catalog() -> Iterator[Callee]:
    with running() as server:
        server.replies = [page_of(CUP)]
        yield server


def client_of(url: str) -> FlaskClient:
    call = Call(callee="catalog", url=url, timeout_seconds=0.5, retries=0)
    return create_app(Config(catalog=call)).test_client()


@pytest.fixture
def client(catalog: Callee) -> FlaskClient:
    return client_of(catalog.url)


def text(client: FlaskClient) -> str:
    response = client.get("/")
    assert response.status_code == 200
    assert MESSAGE in response.text
    return " ".join(response.text.split())


def test_the_page_shows_name_description_and_price_of_each_product(client: FlaskClient, catalog: Callee) -> None:
    page = text(client)
    for shown in ("Cup &lt;b&gt;", "Holds 0.2 l", "1,234.05 EUR"):
        assert f">{shown}<" in page
    assert UNAVAILABLE not in page
    assert [path for path, _, _ in catalog.requests] == ["/api/products?limit=100"]


def test_an_empty_catalog_is_said_to_be_empty(client: FlaskClient, catalog: Callee) -> None:
    catalog.replies = [page_of()]
    assert "There are no products yet." in text(client)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=503),
        Reply(pause=2),
        Reply(status=404, body=b'{"status": 404}'),
        Reply(status=302, body=b""),
        Reply(body=b"<html>"),
        Reply(body=b"[]"),
        Reply(body=b'{"items": [{"name": "Cup"}]}'),
        Reply(body=b'{"items": [{"name": "Cup", "description": "", "price_cents": "1", "currency": "EUR"}]}'),
    ],
)
def test_whatever_is_wrong_with_the_catalog_the_page_comes_and_says_so(
    client: FlaskClient, catalog: Callee, reply: Reply
) -> None:
    catalog.replies = [reply]
    page = text(client)
    assert UNAVAILABLE in page
    assert "These are" not in page


def test_the_page_comes_while_nobody_answers_and_when_the_circuit_is_open() -> None:
    client = client_of(f"http://127.0.0.1:{free_port()}")
    for _ in range(FAILURES + 1):
        assert UNAVAILABLE in text(client)
    registry = client.application.extensions["metrics"].registry
    labels = {"callee": "catalog", "outcome": "circuit_open"}
    assert registry.get_sample_value("http_client_requests_total", labels) == 1


def test_the_last_known_products_are_shown_with_their_age(
    client: FlaskClient, catalog: Callee, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.replies = [page_of(CUP), Reply(status=503)]
    text(client)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 200)
    page = text(client)
    assert f"{UNAVAILABLE} These are as they were 3 minutes ago." in page
    assert "1,234.05 EUR" in page


def test_without_a_catalog_the_page_says_nothing_of_products() -> None:
    assert "roducts" not in text(create_app(Config()).test_client())


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/api/info"])
def test_nothing_but_the_page_needs_the_catalog(client: FlaskClient, catalog: Callee, path: str) -> None:
    assert client.get(path).status_code == 200
    assert catalog.requests == []


@pytest.mark.parametrize(
    ("cents", "said"), [(0, "0.00 EUR"), (5, "0.05 EUR"), (1890, "18.90 EUR"), (100_000_000, "1,000,000.00 EUR")]
)
def test_a_price_is_written_with_its_currency(cents: int, said: str) -> None:
    assert products.price(cents, "EUR") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 seconds"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (7200, "2 hours"),
    ],
)
def test_an_age_is_said_in_one_unit(seconds: float, said: str) -> None:
    assert products.age(seconds) == said
