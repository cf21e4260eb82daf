"""Two questions that Kubernetes asks, with different consequences.

/healthz, for the liveness probe: can this process answer at all? It touches nothing else, since a "no" gets the
container killed, which cures nothing that lies outside it. /readyz, for the readiness probe: shall this pod be sent
requests? It says 503 until every worker has loaded the app and from SIGTERM on; a "no" only takes the pod out of its
Services.
"""

from http import HTTPStatus

from flask import Blueprint, request

from chassis.lifecycle import Lifecycle, Phase

NAME = "health"


def is_probe() -> bool:
    """Tell whether the request is one for health, and so from the kubelet."""
    return request.blueprint == NAME


def blueprint(lifecycle: Lifecycle) -> Blueprint:
    """Make the routes /healthz and /readyz."""
    routes = Blueprint(NAME, __name__)

    @routes.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    def readyz() -> tuple[dict[str, str], HTTPStatus]:
        phase = lifecycle.phase
        return {"status": phase}, HTTPStatus.OK if phase is Phase.READY else HTTPStatus.SERVICE_UNAVAILABLE

    return routes
