"""Metrics: what is counted, with which labels, and how it adds up over workers."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.multiprocess import MultiProcessCollector

from docs import app_metrics
from tests.app.conftest import Start
from tests.app.gunicorn_process import PATIENCE_SECONDS, GunicornProcess


def _registry(app: Flask) -> CollectorRegistry:
    registry: CollectorRegistry = app.extensions["metrics"].registry
    return registry


def _requests(app: Flask) -> dict[tuple[str, str, str], float]:
    """All counted requests by method, route and status."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in _registry(app).collect()
        for sample in family.samples
        if sample.name == "http_requests_total"
    }


def _in_progress(app: Flask) -> float | None:
    return _registry(app).get_sample_value("http_requests_in_progress")


def _fail() -> str:
    raise RuntimeError("broken on purpose")


def test_requests_are_counted_by_method_route_and_status(app: Flask, client: FlaskClient) -> None:
    client.get("/")
    client.get("/")
    client.head("/api/info")
    assert _requests(app) == {("GET", "/", "200"): 2, ("HEAD", "/api/info", "200"): 1}


def test_an_exception_is_counted_as_a_500_of_its_route(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/broken", "broken", _fail)
    client.get("/broken")
    assert _requests(app) == {("GET", "/broken", "500"): 1}


def test_a_route_with_parameters_is_one_series(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/items/<int:number>", "item", lambda number: f"item {number}")
    for number in range(20):
        client.get(f"/items/{number}")
    assert _requests(app) == {("GET", "/items/<int:number>", "200"): 20}


def test_unknown_paths_and_methods_make_no_series_of_their_own(app: Flask, client: FlaskClient) -> None:
    for number in range(20):
        client.get(f"/unknown/{number}?number={number}")
        client.open("/", method=f"M{number}")
    assert _requests(app) == {("GET", "unmatched", "404"): 20, ("other", "unmatched", "405"): 20}


def test_probes_are_not_counted(app: Flask, client: FlaskClient) -> None:
    in_progress = []
    app.before_request(lambda: in_progress.append(_in_progress(app)))
    for path in ("/healthz", "/readyz", "/"):
        client.get(path)
    assert in_progress == [0, 0, 1]
    assert _requests(app) == {("GET", "/", "200"): 1}


def test_durations_are_observed_by_method_and_route(app: Flask, client: FlaskClient) -> None:
    client.get("/api/info")
    labels = {"method": "GET", "route": "/api/info"}
    assert _registry(app).get_sample_value("http_request_duration_seconds_count", labels) == 1
    seconds = _registry(app).get_sample_value("http_request_duration_seconds_sum", labels)
    assert seconds is not None
    assert 0 < seconds < PATIENCE_SECONDS


def test_a_request_is_in_progress_until_it_is_answered(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/in-progress", "in_progress", lambda: str(_in_progress(app)))
    app.add_url_rule("/broken", "broken", _fail)
    assert client.get("/in-progress").text == "1.0"
    client.get("/broken")
    assert _in_progress(app) == 0


def test_the_build_is_shown_as_a_gauge_of_1(server: GunicornProcess) -> None:
    (build,) = [item for item in server.scrape().items() if item[0].startswith("app_build_info")]
    assert 'version="1.2.3"' in build[0]
    assert build[1] == 1


def test_metrics_are_served_on_their_own_port_only(server: GunicornProcess) -> None:
    assert server.status("/metrics") == 404
    assert server.http.get(server.metrics_url).status_code == 200


def test_a_metric_whose_labels_cannot_be_told_is_refused_by_name(app: Flask, client: FlaskClient) -> None:
    client.get("/")
    Counter("forgotten", "Counted by nobody.", ["label"], registry=_registry(app))
    with pytest.raises(ValueError, match="forgotten has no sample after a request; "):
        app_metrics.exported(_registry(app).collect())


def test_counts_add_up_over_the_workers(server: GunicornProcess) -> None:
    def of_each_worker() -> list[float]:
        counts = []
        for values in server.metrics_directory.glob("counter_*.db"):
            for family in MultiProcessCollector.merge([str(values)]):  # type: ignore[no-untyped-call]  # library's
                counts += [sample.value for sample in family.samples if sample.labels["route"] == "/"]
        return counts

    series = 'http_requests_total{method="GET",route="/",status="200"}'
    before = server.scrape().get(series, 0)
    sent = 0
    with ThreadPoolExecutor(8) as pool:
        while len(of_each_worker()) < 2:
            assert sent < 5000, "one of the two workers never answers"
            assert set(pool.map(server.status, ["/"] * 50)) == {200}
            sent += 50
    after = server.scrape()
    assert after[series] == before + sent == sum(of_each_worker())
    assert after['http_request_duration_seconds_count{method="GET",route="/"}'] == after[series]
    assert after["http_requests_in_progress"] == 0


@pytest.mark.slow
def test_a_killed_worker_leaves_its_counts_and_takes_along_its_requests_in_progress(start: Start) -> None:
    process = start("held_app:app", WORKERS="1", THREADS="1").wait_until_ready()
    assert process.status("/") == 200
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(process.status, "/held")
        # Answered though the only thread of the only worker is taken.
        process.wait_until(lambda: process.scrape()["http_requests_in_progress"] == 1, "the request is in progress")
        (gauges,) = process.metrics_directory.glob("gauge_livesum_*.db")
        os.kill(int(gauges.stem.rpartition("_")[2]), signal.SIGKILL)
        assert in_flight.result() is None
    process.wait_until_ready()
    process.wait_until(lambda: process.scrape()["http_requests_in_progress"] == 0, "the request is forgotten")
    assert process.scrape()['http_requests_total{method="GET",route="/",status="200"}'] == 1


@pytest.mark.slow
def test_counts_of_an_earlier_container_are_not_taken_over(
    start: Start, server: GunicornProcess, tmp_path: Path
) -> None:
    server.get("/unknown")
    series = 'http_requests_total{method="GET",route="unmatched",status="404"}'
    assert series in server.scrape()
    shutil.copytree(server.metrics_directory, tmp_path / "metrics")
    process = start().wait_until_ready()
    assert series not in process.scrape()


@pytest.mark.slow
def test_a_taken_metrics_port_is_an_error_for_people(start: Start, server: GunicornProcess) -> None:
    process = start(METRICS_PORT=str(server.metrics_port))
    assert process.process.wait(PATIENCE_SECONDS) == 1
    assert process.stderr().startswith(f"METRICS_PORT: cannot listen on 127.0.0.1:{server.metrics_port}: ")


@pytest.mark.slow
def test_a_metrics_directory_that_cannot_be_made_is_an_error_for_people(start: Start) -> None:
    process = start(PROMETHEUS_MULTIPROC_DIR="/dev/null/metrics")
    assert process.process.wait(PATIENCE_SECONDS) == 1
    assert process.stderr().startswith("PROMETHEUS_MULTIPROC_DIR: ")
