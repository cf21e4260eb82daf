"""The API: what it does, and what it refuses."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.catalog.postgres import Postgres

PATH = "/api/products"
LAMP = {"sku": "LAMP-1", "name": "Lamp", "description": "Bright.", "price_cents": 4999, "currency": "EUR"}


def skus(client: FlaskClient, query: str = "") -> list[str]:
    return [item["sku"] for item in client.get(PATH + query).get_json()["items"]]


def test_a_product_that_was_created_is_there(client: FlaskClient) -> None:
    created = client.post(PATH, json=LAMP)
    assert (created.status_code, created.headers["Location"]) == (201, f"{PATH}/LAMP-1")
    assert created.get_json().items() >= LAMP.items()
    assert client.get(f"{PATH}/LAMP-1").get_json() == created.get_json()
    assert "LAMP-1" in skus(client)


def test_to_create_it_again_changes_nothing_and_gives_the_same_product(client: FlaskClient) -> None:
    first, second = client.post(PATH, json=LAMP), client.post(PATH, json=LAMP)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.get_json() == second.get_json()
    assert first.headers["Location"] == second.headers["Location"]


def test_another_product_of_the_same_sku_is_a_conflict(client: FlaskClient) -> None:
    client.post(PATH, json=LAMP)
    refused = client.post(PATH, json={**LAMP, "price_cents": 1})
    assert (refused.status_code, refused.mimetype) == (409, "application/problem+json")
    assert client.get(f"{PATH}/LAMP-1").get_json()["price_cents"] == 4999


def test_a_product_can_be_changed_and_deleted_once_and_again(client: FlaskClient) -> None:
    client.post(PATH, json=LAMP)
    new = {**LAMP, "name": "Old lamp"}
    del new["sku"]
    for _ in range(2):
        changed = client.put(f"{PATH}/LAMP-1", json=new)
        assert (changed.status_code, changed.get_json()["name"]) == (200, "Old lamp")
    assert client.get(f"{PATH}/LAMP-1").get_json()["name"] == "Old lamp"
    for _ in range(2):
        assert client.delete(f"{PATH}/LAMP-1").status_code == 204
    assert client.get(f"{PATH}/LAMP-1").status_code == 404
    assert client.put(f"{PATH}/LAMP-1", json=new).status_code == 404


def test_the_list_comes_in_pages_that_follow_one_another_to_the_end(unchanged: FlaskClient) -> None:
    everything, query, pages = skus(unchanged, "?limit=100"), "?limit=3", []
    while query:
        page = unchanged.get(PATH + query).get_json()
        pages.append([item["sku"] for item in page["items"]])
        query = page["next"] and f"?limit=3&after={page['next']}"
    assert [len(page) for page in pages] == [3, 3, 2]
    assert list(chain(*pages)) == everything == sorted(everything)


def test_a_page_that_ends_with_the_list_is_the_last(unchanged: FlaskClient) -> None:
    assert unchanged.get(f"{PATH}?limit=8").get_json()["next"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", "lamp"),
        ("sku", "LAMP\n"),
        ("sku", "X" * 33),
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "null\x00"),
        ("name", "half \ud800"),
        ("name", None),
        ("description", "x" * 1001),
        ("price_cents", -1),
        ("price_cents", 100_000_001),
        ("price_cents", 1.5),
        ("price_cents", "1"),
        ("price_cents", True),
        ("currency", "EURO"),
        ("colour", "red"),
    ],
)
def test_what_is_no_product_is_refused_by_the_name_of_its_field(unchanged: FlaskClient, field: str, value: Any) -> None:
    response = unchanged.post(PATH, json={**LAMP, field: value})
    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    problem = response.get_json()
    assert problem["errors"]["json"].keys() == {field}
    assert problem["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=a%00"])
def test_a_page_that_cannot_be_is_refused(unchanged: FlaskClient, query: str) -> None:
    assert unchanged.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.parametrize("path", ["/NONE", "/no-sku", "/%00", "/A%0A", f"/{'X' * 33}"])
def test_what_is_not_there_is_a_problem_of_status_404(unchanged: FlaskClient, path: str) -> None:
    response = unchanged.get(PATH + path)
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_a_body_without_end_is_refused(unchanged: FlaskClient) -> None:
    assert unchanged.post(PATH, json={**LAMP, "description": "x" * 20_000}).status_code == 413


def test_what_is_no_json_is_refused(unchanged: FlaskClient) -> None:
    response = unchanged.post(PATH, data="{", content_type="application/json")
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")


REFUSE_TO_COMMIT = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'admin_shutdown'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON products DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def test_a_write_is_acknowledged_only_when_it_is_committed(client: FlaskClient, server: Postgres, secret: Path) -> None:
    with server.admin((secret / "dbname").read_text()) as admin:
        admin.execute(REFUSE_TO_COMMIT)
    response = client.post(PATH, json=LAMP)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert client.get(f"{PATH}/LAMP-1").status_code == 404
