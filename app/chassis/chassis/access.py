"""What is noted of each request: its id, its metrics and one log line.

Requests for health (/healthz, /readyz) are not counted and are logged at debug level only: they come from the kubelet
at a constant rate, so they would dilute the users' error rate and latency, and the 503 by which a draining pod says
that all is well would count as an error.

Neither path nor query string is logged, only the route's template: they may hold what clients should not have sent.
What gunicorn refuses by itself, such as a malformed request line, never gets here.
"""

import time

import structlog
from flask import Flask, Response, g, request

from chassis import health
from chassis.metrics import Metrics, method_label, route_label
from chassis.request_id import HEADER, request_id

log = structlog.stdlib.get_logger(__name__)


def observe(app: Flask, metrics: Metrics) -> None:
    """Note every request that ``app`` answers. Call before any other hook is registered."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = request_id(request.headers.get(HEADER))
        # Threads are used again, and with them their context.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if not health.is_probe():
            metrics.in_progress.inc()
            g.in_progress = True

    @app.after_request
    def answer(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        method, route, status = method_label(request), route_label(request), response.status_code
        response.headers[HEADER] = g.request_id
        line = log.bind(method=method, route=route, status=status, duration_seconds=round(seconds, 6))
        if health.is_probe():
            line.debug("request")
        else:
            metrics.answered(method, route, status, seconds)
            line.info("request")
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if g.pop("in_progress", False):
            metrics.in_progress.dec()
