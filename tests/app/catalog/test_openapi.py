"""The OpenAPI document: made from the code, and held against it by requests that it allows and forbids."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

PATH = "/api/products"
ONE = f"{PATH}/{{sku}}"
OPERATIONS = [(PATH, "get"), (PATH, "post"), (ONE, "get"), (ONE, "put"), (ONE, "delete")]

EXAMPLES = 30
"""Requests by operation and kind."""


@pytest.fixture
def document(unchanged: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = unchanged.get(f"{PATH}/openapi.json").get_json()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_request_is_answered_as_the_document_says(app: Flask, path: str, method: str, mode: str) -> None:
    # Here, as it takes a second, which the quick tests would pay too.
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode

    described = schemathesis.openapi.from_wsgi(f"{PATH}/openapi.json", app)
    statuses = set()

    @given(case=described[path][method].as_strategy(generation_mode=GenerationMode[mode]))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        statuses.add(case.call_and_validate().status_code)

    ask()
    assert statuses


def test_the_document_tells_of_every_route_and_no_other(unchanged: FlaskClient, document: dict[str, Any]) -> None:
    routes = {
        (rule.rule.replace("<sku:sku>", "{sku}"), method.lower())
        for rule in unchanged.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("products.")
    }
    told = {
        (path, method)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert document["openapi"] == "3.1.0"
    assert told == routes == set(OPERATIONS)


def test_errors_are_told_of_as_problem_details(document: dict[str, Any]) -> None:
    errors = [answer for name, answer in document["components"]["responses"].items()]
    assert len(errors) >= 4
    for answer in errors:
        assert list(answer["content"]) == ["application/problem+json"]
