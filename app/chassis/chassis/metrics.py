"""The metrics that a service counts.

Labels take their values from the program, never from the client, so that no client can make new series: a path stands
as the template of its route, an unknown path or method as one constant.

Under gunicorn each worker keeps its values in files (prometheus_client's multiprocess mode), and ``exposition`` adds
them up. Not here: metrics of the Python process, which that mode cannot have; cAdvisor knows CPU and memory.
"""

import functools
import platform

from flask import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

UNMATCHED = "unmatched"
"""The route of a path or method that no route serves. No template can equal it, as they begin with a slash."""

OTHER = "other"
"""The method of a request whose method HTTP (RFC 9110, RFC 5789) does not define."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Metrics:
    """The instruments of one app, in a registry of their own.

    Args:
        version: the release that runs, for ``app_build_info``.
    """

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests_total",
            "Requests answered, by method, route template and status code.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's arrival in the app to its response, by method and route template.",
            ["method", "route"],
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "http_requests_in_progress",
            "Requests being answered now.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        build_info = Gauge(
            "app_build_info",
            "1, labelled with what runs.",
            ["version", "python_version"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        build_info.labels(version=version, python_version=platform.python_version()).set(1)
        # Looked up for each request, the series of its labels would take a quarter of the time that metrics cost.
        self._requests_of = functools.cache(self.requests.labels)
        self._duration_of = functools.cache(self.duration.labels)

    @functools.cached_property
    def calls(self) -> "CallMetrics":
        """The instruments of calls to other services. Made when asked for, as a service that calls nobody has none."""
        return CallMetrics(self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests_of(method, route, status).inc()
        self._duration_of(method, route).observe(seconds)


class CallMetrics:
    """The instruments of calls to other services."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "http_client_requests_total",
            "Calls to other services, each counted once with all its attempts, by callee and outcome.",
            ["callee", "outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "http_client_request_duration_seconds",
            "Time that calls to other services took, with all their attempts, by callee; without those not made.",
            ["callee"],
            registry=registry,
        )


def method_label(request: Request) -> str:
    """Name the request's method, or ``OTHER``."""
    return request.method if request.method in METHODS else OTHER


def route_label(request: Request) -> str:
    """Name the template of the route that serves the request, such as ``/items/<int:id>``, or ``UNMATCHED``."""
    return request.url_rule.rule if request.url_rule else UNMATCHED
