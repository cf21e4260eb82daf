"""What Traefik can do beyond the Gateway API, as objects of its own: pure functions, for version 3.7.

Middlewares stand between a listener and a service. A route whose Middleware is missing or wrong is left out, and its
requests go where the next route that fits leads. That is another service, as each has one route: nobody gets to a
service past its guards. Traefik does not read a route's timeouts: its own settings bound a request.

Source: https://doc.traefik.io/traefik/v3.7/reference/routing-configuration/http/middlewares/overview/.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from components.routes import Route

GROUP = "traefik.io"
VERSION = f"{GROUP}/v1alpha1"

PODS: Mapping[str, str] = {"app.kubernetes.io/name": "traefik"}
"""Labels that its Helm chart gives its pods."""

STORE = "default"
"""The one TLSStore that Traefik looks at; with two of that name in the cluster, it takes neither."""

USER = "api"
"""Whom those name who have the API key."""


def middlewares(route: Route, *, realm: str, secret: Any) -> dict[str, dict[str, Any]]:
    """Return the `spec` of each Middleware of a route, by a name that says what it does, in the order of a request.

    Whoever may not get in is sent away before a body is read.

    Args:
        route: What is asked for.
        realm: What browsers show to those who have not said who they are.
        secret: Name of a Secret whose one value is `credentials`.
    """
    found: dict[str, dict[str, Any]] = {}
    if route.restricted:
        found["sources"] = {"ipAllowList": {"sourceRange": list(route.source_ranges)}}
    if route.rate_limit:
        limit = route.rate_limit
        found["rate-limit"] = {
            "rateLimit": {"average": limit.requests_per_second, "period": "1s", "burst": limit.burst}
        }
    if route.authenticated:
        # The services never see the key.
        found["api-key"] = {"basicAuth": {"realm": realm, "secret": secret, "removeHeader": True}}
    if route.max_body_bytes:
        found["body-limit"] = {"buffering": {"maxRequestBodyBytes": route.max_body_bytes}}
    return found


def credentials(api_key: str) -> str:
    """Return a line of an htpasswd file.

    With a hash that is fast and without salt, which is enough for a key of 256 random bits that nobody can guess, and
    keeps a request cheap; for a password that somebody chose it would not be.
    """
    digest = hashlib.sha1(api_key.encode(), usedforsecurity=False).digest()
    return f"{USER}:{{SHA}}{base64.b64encode(digest).decode()}"


def default_certificate(secret: Any) -> dict[str, Any]:
    """Return the `spec` of the TLSStore `STORE`: the certificate for clients that name no host, as by an address."""
    return {"defaultCertificate": {"secretName": secret}}


def hostnames(hosts: Sequence[str]) -> dict[str, Any]:
    """Return what a route says beside its listener's hostname: for addresses, too, which the API has no word for.

    Without, a gateway with an address would answer for every name that is nobody's, and for all stacks at once.
    """
    return {"hostnames": list(hosts)}


def reference(middleware: str) -> dict[str, Any]:
    """Return the filter of a route that leads through a Middleware."""
    return {"type": "ExtensionRef", "extensionRef": {"group": GROUP, "kind": "Middleware", "name": middleware}}
