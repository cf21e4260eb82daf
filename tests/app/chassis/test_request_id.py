"""Request ids: taken when valid, made when not, always answered."""

import pytest
from chassis.request_id import request_id
from flask.testing import FlaskClient


@pytest.mark.parametrize("received", ["a", "0123456789abcdef", "Trace_1.2-3", "x" * 64])
def test_a_valid_request_id_is_taken(received: str) -> None:
    assert request_id(received) == received


@pytest.mark.parametrize("received", [None, "", "x" * 65, "a b", "a\n", '{"a":1}', "ümlaut", "<b>"])
def test_any_other_request_id_is_replaced(received: str | None) -> None:
    made = request_id(received)
    assert made != received
    assert request_id(made) == made


def test_made_request_ids_differ() -> None:
    assert request_id(None) != request_id(None)


@pytest.mark.parametrize("path", ["/", "/api/info", "/healthz", "/unknown", "/api/unknown"])
def test_every_answer_carries_the_request_id(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"X-Request-ID": "abc"}).headers["X-Request-ID"] == "abc"
    assert client.get(path, headers={"X-Request-ID": "not valid"}).headers["X-Request-ID"] != "not valid"
