"""Traces: whose id a request has, and the span that is exported of it."""

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chassis.config import Config
from chassis.spans import Spans
from chassis.tracing import traceparent
from flask import Flask
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.app.chassis.collector import Collector, attributes
from tests.app.conftest import Start
from tests.app.gunicorn_process import APPS, PATIENCE_SECONDS, GunicornProcess, free_port

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

VALID = [TRACEPARENT, f"00-{TRACE}-{PARENT}-00", f"01-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-is-to-come"]
INVALID = [
    None,
    "",
    TRACE,
    f"{TRACEPARENT}-more",
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01",
    f"00-{TRACE[:-1]}-{PARENT}-01",
    f"cc-{TRACE}-{PARENT}-01more",
    f"{TRACEPARENT},{TRACEPARENT}",
]


def exporting(start: Start, url: str, **environ: str) -> GunicornProcess:
    identity = {"APP_VERSION": "1.2.3", "POD_NAME": "webapp-0", "ENVIRONMENT": "test"}
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **identity, **environ}
    return start("held_app:app", **environ).wait_until_ready()


@pytest.mark.parametrize("received", VALID)
def test_a_valid_trace_is_taken_over(received: str) -> None:
    assert traceparent(received) == received


@pytest.mark.parametrize("received", INVALID)
def test_anything_else_begins_a_new_trace(received: str | None) -> None:
    made = traceparent(received)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)
    assert traceparent(made) == made
    assert made not in {TRACEPARENT, traceparent(received)}


def test_every_line_within_a_request_has_the_traces_id_though_nothing_is_exported(server: GunicornProcess) -> None:
    server.get("/api/broken", traceparent=TRACEPARENT, **{"X-Request-ID": "traced"})
    lines = server.log(request_id="traced")
    assert [line["level"] for line in lines] == ["error", "info"]
    assert all(line["trace_id"] == TRACE and "span_id" not in line for line in lines)


def test_a_request_does_not_inherit_the_trace_of_the_one_before(server: GunicornProcess) -> None:
    server.get("/", traceparent=TRACEPARENT.replace("4bf9", "aaaa"))
    for number in range(20):
        server.get("/", **{"X-Request-ID": f"untraced-{number}"})
    found = {server.log(request_id=f"untraced-{number}")[0]["trace_id"] for number in range(20)}
    assert len(found) == 20
    assert TRACE.replace("4bf9", "aaaa") not in found


@pytest.mark.slow
def test_a_requests_span_is_exported_and_its_log_line_has_its_ids(start: Start, collector: Collector) -> None:
    process = exporting(start, collector.url)
    process.get("/api/info?token=s3cr3t", traceparent=TRACEPARENT, **{"X-Request-ID": "exported"})
    process.wait_until(collector.spans, "the span is exported")
    ((resource, span),) = collector.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (span.name, span.kind) == ("GET /api/info", Span.SPAN_KIND_SERVER)
    assert attributes(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/api/info",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert resource["service.name"] == "webapp"
    assert resource["service.version"] == "1.2.3"
    assert resource["deployment.environment.name"] == "test"
    assert resource["k8s.pod.name"] == "webapp-0"
    (line,) = process.log(request_id="exported")
    assert (line["trace_id"], line["span_id"]) == (TRACE, span.span_id.hex())


@pytest.mark.slow
@pytest.mark.parametrize("received", INVALID[-2:])
def test_a_trace_that_begins_here_is_exported_by_the_id_that_is_logged(
    start: Start, collector: Collector, received: str
) -> None:
    process = exporting(start, collector.url)
    process.get("/unknown/s3cr3t", traceparent=received, **{"X-Request-ID": "begun"})
    process.wait_until(collector.spans, "the span is exported")
    ((_, span),) = collector.spans()
    assert (span.name, span.parent_span_id) == ("GET", b"")
    (line,) = process.log(request_id="begun")
    assert (line["trace_id"], line["span_id"]) == (span.trace_id.hex(), span.span_id.hex())
    assert "s3cr3t" not in str(span)


@pytest.mark.slow
def test_what_a_caller_does_not_want_recorded_is_not_exported(start: Start, collector: Collector) -> None:
    process = exporting(start, collector.url)
    process.get("/", traceparent=f"00-{TRACE}-{PARENT}-00", **{"X-Request-ID": "unsampled"})
    process.get("/api/info")
    process.wait_until(collector.spans, "a span is exported")
    assert [span.name for _, span in collector.spans()] == ["GET /api/info"]
    assert process.log(request_id="unsampled")[0]["trace_id"] == TRACE


@pytest.mark.slow
def test_probes_have_no_spans_and_an_error_is_one(start: Start, collector: Collector) -> None:
    process = exporting(start, collector.url)
    process.get("/healthz", traceparent=TRACEPARENT)
    process.get("/api/broken")
    process.wait_until(collector.spans, "the span is exported")
    ((_, span),) = collector.spans()
    assert (span.name, span.status.code) == ("GET /api/broken", Status.STATUS_CODE_ERROR)
    assert attributes(span.attributes)["error.type"] == "500"


@pytest.mark.slow
def test_every_worker_exports_and_what_is_left_at_its_end(start: Start, collector: Collector) -> None:
    process = exporting(start, collector.url, WORKERS="2")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(process.status, ["/"] * 300)) == {200}
    process.terminate()
    assert process.process.wait(PATIENCE_SECONDS) == 0
    assert len(collector.spans()) == 300
    assert process.stderr() == ""


@pytest.mark.slow
@pytest.mark.parametrize("status", [None, 400, 503])
def test_an_export_that_fails_costs_neither_a_request_nor_the_stop_and_is_said_once(
    start: Start, collector: Collector, status: int | None
) -> None:
    collector.status = status or 200
    url = collector.url if status else f"http://127.0.0.1:{free_port()}"
    process = exporting(start, url, WORKERS="1")
    for _ in range(3):
        assert process.status("/") == 200
        time.sleep(1.2)
    process.wait_until(lambda: process.log(event="spans were not exported"), "the failure is said")
    began = time.monotonic()
    process.terminate()
    assert process.process.wait(PATIENCE_SECONDS) == 0
    assert time.monotonic() - began < 5
    (line,) = process.log(event="spans were not exported")
    assert (line["level"], line["endpoint"]) == ("warning", url)
    assert line["spans"] >= 1
    assert not any(line["logger"].startswith(("opentelemetry", "urllib3")) for line in process.log())
    assert process.stderr() == ""


def test_nothing_of_the_sdk_is_loaded_where_nothing_is_exported() -> None:
    script = (
        "import sys; from webapp import Config, create_app; create_app(Config()); "
        "print([n for n in sys.modules if 'telemetry' in n])"
    )
    command, path = [sys.executable, "-c", script], f"{APPS / 'chassis'}:{APPS / 'webapp'}"
    assert subprocess.check_output(command, env={"PYTHONPATH": path}, text=True) == "[]\n"  # noqa: S603 - stands here


def test_a_span_names_its_service_as_the_services_that_call_it_do() -> None:
    spans = Spans(Flask("order_history"), Config(), f"http://127.0.0.1:{free_port()}")
    assert spans._provider.resource.attributes["service.name"] == "order-history"
    spans.stop()
