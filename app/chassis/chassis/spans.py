"""A span for each request but probes, and for each call of another service, exported by OTLP over HTTP.

In batches, from each worker by itself: made after the fork, as batches are sent by a thread. An export that fails costs
spans and never a request; of those that fail, a line a minute tells. Neither path nor query string is recorded, only
the route's template, as in the logs.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, request
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis import health
from chassis.config import Config
from chassis.metrics import UNMATCHED, method_label, route_label

BATCH_SECONDS = 1.0
"""How long a span waits for others. Short, as what waits is lost when a worker is killed."""

EXPORT_SECONDS = 5.0
"""How long one export may take, further attempts included."""

STOP_SECONDS = 1.0
"""How long the end of a worker may be held up by what is left to export."""

COMPLAINT_SECONDS = 60.0
"""How long nothing more is said of exports that fail."""

log = structlog.stdlib.get_logger(__name__)


class Spans:
    """Records the spans of one app, in one process. Attributes are named by OpenTelemetry's semantic conventions."""

    def __init__(self, app: Flask, config: Config, endpoint: str) -> None:
        resource = Resource.create(
            {
                "service.name": app.name.replace("_", "-"),  # the app has its package's name
                "service.version": config.version,
                "deployment.environment.name": config.environment,
                "k8s.pod.name": config.pod,
            }
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _Complaining(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS), endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=BATCH_SECONDS * 1000))
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()
        app.before_request(self._begin)
        app.after_request(self._answer)
        app.teardown_request(self._end)

    def stop(self) -> None:
        """Export what is left, for as long as the worker's end may wait for that."""
        # In a thread, as the SDK has no limit for it; as a daemon, so that nobody waits for it to end.
        stopping = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)

    @contextmanager
    def calling(self, callee: str) -> Iterator[Mapping[str, str]]:
        """Record a call of another service, and give the headers that tell it."""
        parent = set_span_in_context(g.span) if "span" in g else None
        attributes = {"http.request.method": "GET", "peer.service": callee}
        span = self._tracer.start_span(f"GET {callee}", parent, SpanKind.CLIENT, attributes)
        headers: dict[str, str] = {}
        self._propagator.inject(headers, set_span_in_context(span))
        try:
            yield headers
        except Exception as error:
            span.set_attribute("error.type", getattr(error, "outcome", type(error).__name__))
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def _begin(self) -> None:
        if health.is_probe():
            return
        method, route = method_label(request), route_label(request)
        attributes = {"http.request.method": method, "url.scheme": request.scheme}
        if route != UNMATCHED:
            attributes["http.route"] = route
        headers = {name: request.headers[name] for name in self._propagator.fields if name in request.headers}
        g.span = self._tracer.start_span(
            method if route == UNMATCHED else f"{method} {route}",
            self._propagator.extract(headers),
            SpanKind.SERVER,
            attributes,
        )
        context = g.span.get_span_context()
        structlog.contextvars.bind_contextvars(
            trace_id=format_trace_id(context.trace_id), span_id=format_span_id(context.span_id)
        )

    @staticmethod
    def _answer(response: Response) -> Response:
        if "span" in g:
            g.span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                g.span.set_attribute("error.type", str(response.status_code))
                g.span.set_status(Status(StatusCode.ERROR))
        return response

    @staticmethod
    def _end(_error: BaseException | None) -> None:
        span = g.pop("span", None)
        if span:
            span.end()


class _Complaining(SpanExporter):
    """Says of exports that fail how many spans they cost, and not more often than it has to."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._lost = 0
        self._silent_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() >= self._silent_until:
                log.warning("spans were not exported", endpoint=self._endpoint, spans=self._lost)
                self._lost, self._silent_until = 0, time.monotonic() + COMPLAINT_SECONDS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
