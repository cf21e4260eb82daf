"""Faults that are asked for: what they do to requests, and what they leave alone."""

import time

import pytest
from flask.testing import FlaskClient
from webapp import create_app
from webapp.config import Config

from tests.app.conftest import Start


def client(**faults: float) -> FlaskClient:
    return create_app(Config(**{f"fault_{name}": value for name, value in faults.items()})).test_client()  # type: ignore[arg-type]  # a field's name each


@pytest.mark.slow
def test_that_share_of_the_requests_fails_and_is_counted_as_such() -> None:
    faulty = client(error_percent=30)
    found = [faulty.get("/").status_code for _ in range(400)]
    assert set(found) == {200, 500}
    assert 60 < found.count(500) < 180  # 120 are expected; farther off it is once in 10 million runs
    registry = faulty.application.extensions["metrics"].registry
    labels = {"method": "GET", "route": "/", "status": "500"}
    assert registry.get_sample_value("http_requests_total", labels) == found.count(500)


def test_a_fault_looks_like_any_other_error() -> None:
    faulty = client(error_percent=100)
    assert faulty.get("/").mimetype == "text/html"
    problem = faulty.get("/api/info")
    assert (problem.status_code, problem.mimetype) == (500, "application/problem+json")
    assert "FAULT_ERROR_PERCENT" in problem.get_json()["detail"]


def test_a_delay_is_part_of_the_duration_that_is_observed() -> None:
    slow = client(delay_seconds=0.05)
    assert slow.get("/").status_code == 200
    registry = slow.application.extensions["metrics"].registry
    seconds = registry.get_sample_value("http_request_duration_seconds_sum", {"method": "GET", "route": "/"})
    assert seconds is not None
    assert seconds >= 0.05


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_spared(path: str) -> None:
    began = time.monotonic()
    assert client(error_percent=100, delay_seconds=30).get(path).status_code == 200
    assert time.monotonic() - began < 15


def test_nothing_fails_or_waits_unless_it_is_asked_for(client: FlaskClient) -> None:
    assert {client.get("/").status_code for _ in range(50)} == {200}


@pytest.mark.slow
def test_each_worker_warns_of_faults_when_it_starts(start: Start) -> None:
    process = start(WORKERS="2", FAULT_ERROR_PERCENT="100").wait_until_ready()
    said = {"event": "faults are injected into requests", "level": "warning", "error_percent": 100, "delay_seconds": 0}
    assert len(process.log(**said)) == 2
    assert process.status("/") == 500
