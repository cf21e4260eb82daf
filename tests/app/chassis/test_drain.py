"""SIGTERM: unready first, then served on, then stopped, with every accepted request answered."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.conftest import Start
from tests.app.gunicorn_process import PATIENCE_SECONDS, GunicornProcess

DRAIN_SECONDS = 2.0


def _drain_is_over(process: GunicornProcess) -> bool:
    return bool(process.log(event="Handling signal: term"))


def _workers_ended(process: GunicornProcess) -> int:
    return sum(line["event"].startswith("Worker exiting") for line in process.log())


@pytest.mark.slow
def test_a_terminated_pod_turns_unready_serves_on_and_finishes_what_it_accepted(start: Start) -> None:
    process = start("held_app:app", WORKERS="2", DRAIN_SECONDS=str(DRAIN_SECONDS)).wait_until_ready()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(process.get, "/held")
        process.wait_until(lambda: process.scrape()["http_requests_in_progress"] == 1, "the request is in flight")

        terminated = time.monotonic()
        process.terminate()
        process.wait_until(lambda: process.status("/readyz") == 503, "/readyz fails")
        # Often enough to have met both workers: each of them must know.
        answers = {path: {process.status(path) for _ in range(20)} for path in ("/readyz", "/healthz", "/")}
        assert not _drain_is_over(process), "this machine is too slow for the drain's length; make it longer"
        assert answers == {"/readyz": {503}, "/healthz": {200}, "/": {200}}
        # Another SIGTERM neither shortens the drain nor stops anything.
        process.terminate()
        assert process.get("/readyz").json() == {"status": "draining"}

        process.wait_until(lambda: _drain_is_over(process), "the drain is over")
        assert time.monotonic() - terminated >= DRAIN_SECONDS
        process.wait_until(lambda: _workers_ended(process) == 1, "the idle worker has ended")
        assert process.scrape()["http_requests_in_progress"] == 1
        assert not in_flight.done()

        (process.directory / "release").touch()
        assert in_flight.result().status_code == 200
    assert process.process.wait(PATIENCE_SECONDS) == 0
    assert len(process.log(event="draining", seconds=DRAIN_SECONDS)) == 1
    assert process.stderr() == ""


@pytest.mark.slow
def test_a_terminated_pod_without_requests_ends_with_status_0(start: Start) -> None:
    process = start(DRAIN_SECONDS="0.1").wait_until_ready()
    process.terminate()
    assert process.process.wait(PATIENCE_SECONDS) == 0
    assert process.stderr() == ""
