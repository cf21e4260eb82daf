"""Liveness and readiness, which mean different things."""

import pytest
from chassis.lifecycle import Lifecycle, Phase
from flask.testing import FlaskClient
from webapp import create_app
from webapp.config import Config

from tests.app.conftest import Start


def _readiness(client: FlaskClient) -> tuple[int, str]:
    response = client.get("/readyz")
    return response.status_code, response.get_json()["status"]


def test_a_pod_is_ready_between_its_start_and_its_drain_only(client: FlaskClient, lifecycle: Lifecycle) -> None:
    assert _readiness(client) == (503, "starting")
    lifecycle.worker_started(age=1)
    assert _readiness(client) == (200, "ready")
    lifecycle.drain()
    assert _readiness(client) == (503, "draining")


def test_a_pod_is_alive_throughout(client: FlaskClient, lifecycle: Lifecycle) -> None:
    assert client.get("/healthz").status_code == 200
    lifecycle.worker_started(age=1)
    assert client.get("/healthz").status_code == 200
    lifecycle.drain()
    assert client.get("/healthz").status_code == 200


def test_without_gunicorn_the_app_is_ready_at_once() -> None:
    assert _readiness(create_app(Config()).test_client()) == (200, "ready")


def test_a_worker_that_starts_during_the_drain_does_not_end_it(lifecycle: Lifecycle) -> None:
    lifecycle.drain()
    lifecycle.worker_started(age=1)
    assert lifecycle.phase is Phase.DRAINING


def test_a_worker_that_is_replaced_while_it_starts_is_waited_for_in_its_successor() -> None:
    lifecycle = Lifecycle(workers=2)
    phases = []
    for age in (1, 3):
        lifecycle.worker_started(age)
        phases.append(lifecycle.phase)
    assert phases == [Phase.STARTING, Phase.READY]


def test_no_number_of_replaced_workers_is_too_many(lifecycle: Lifecycle) -> None:
    lifecycle.worker_started(age=1_000_000)
    assert lifecycle.phase is Phase.READY


@pytest.mark.slow
def test_a_pod_is_not_ready_before_every_worker_has_loaded_the_app(start: Start) -> None:
    process = start("half_loaded_app:app", WORKERS="2")
    process.wait_until(lambda: process.status("/readyz") is not None, "the first worker answers")
    assert process.status("/readyz") == 503
    assert process.status("/healthz") == 200
    (process.directory / "release").touch()
    process.wait_until_ready()
