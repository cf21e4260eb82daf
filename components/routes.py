"""What a gateway lets in and where it leads that, in the words of the Gateway API: pure functions, no cluster's matter.

Each host name has two listeners: port 80 answers with a redirect to https and nothing else, port 443 ends TLS. A route
leads the paths below its prefixes to one port of one Service; of several that fit, the API has the longest prefix win.
What only some classes of gateways can do stands with the class, such as `traefik`.

Source: https://gateway-api.sigs.k8s.io/reference/spec/, version 1.5.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import checks, network

GROUP = "gateway.networking.k8s.io"
VERSION = f"{GROUP}/v1"
"""Of all objects here; the first that is stable."""

HTTP_PORT = 80
HTTPS_PORT = 443

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy: all from where the page is from, and styles in the page itself; scripts must be files."""

INLINE_SCRIPTS = "; script-src 'self' 'unsafe-inline'"
"""What a page with scripts in itself needs beside."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
"""Of every answer, in place of the service's own. Source: https://owasp.org/www-project-secure-headers/."""

HSTS: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}
"""For DNS names alone, as browsers keep it for no address. Subdomains are left out: they may be somebody else's."""

_PATH = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")

PATH = "/ or a path such as /api/v1, of letters, digits and . _ ~ -, without a slash at its end"


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How many requests one client address may send; what is more is refused with 429."""

    requests_per_second: int
    """In the long run."""

    burst: int
    """At once, after a while without any."""

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through."""
        for name in ("requests_per_second", "burst"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}; or leave the limit out")


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is led to one service; its object has the service's name."""

    service: str
    """Name of the Service, in the gateway's namespace."""

    port: int
    """Port of the Service, which speaks HTTP."""

    paths: Sequence[str]
    """Prefixes, by whole segments: `/api` is `/api` and `/api/v1`, not `/apis`."""

    host: str | None = None
    """DNS name that it is reached by. Default: the gateway's host."""

    authenticated: bool = False
    """Whether only those get in who have the API key. Default: everybody does."""

    rate_limit: RateLimit | None = None
    """Default: none."""

    max_body_bytes: int | None = None
    """Largest body of a request; a larger one is refused with 413. Default: none.

    With it, requests and answers are kept until they are whole: not for what streams.
    """

    source_ranges: Sequence[str] = network.ANYWHERE
    """Networks that may get in, in CIDR notation; others are refused with 403. Default: all."""

    strips_path: bool = False
    """Whether the service gets paths without the prefix that led to it. Default: it gets them whole."""

    inline_scripts: bool = False
    """Whether pages may hold scripts, as some tools' do. Default: scripts must be files of the same host."""

    timeout_seconds: int | None = None
    """Time in which a request must be answered, else it is with 504. Default: what the class has."""

    def __post_init__(self) -> None:
        """Refuse what the API server, or the class of the gateway, would refuse later."""
        checks.field("service", checks.dns_label, self.service)
        checks.field("port", lambda port: checks.number(port, 1, 65535), self.port)
        if not self.paths:
            raise ValueError("paths must hold at least 1 path, found none; / is all of them")
        for path in self.paths:
            if not _PATH.fullmatch(path):
                raise ValueError(f"paths must be {PATH}, found {path!r}")
        if self.host is not None:
            checks.field("host", checks.dns_name, self.host)
            if is_address(self.host):
                raise ValueError(
                    f"host must be a DNS name, found the address {self.host}; leave it out for the gateway's own host"
                )
        if self.max_body_bytes is not None and self.max_body_bytes < 1:
            raise ValueError(f"max_body_bytes must be at least 1, found {self.max_body_bytes}; or leave it out")
        checks.field("source_ranges", checks.networks, self.source_ranges)
        if self.timeout_seconds is not None:
            checks.field("timeout_seconds", lambda seconds: checks.number(seconds, 1, 3600), self.timeout_seconds)

    @property
    def restricted(self) -> bool:
        """Whether some networks may not get in."""
        return not set(network.ANYWHERE) <= set(self.source_ranges)


def is_address(host: str) -> bool:
    """Tell whether `host` is an IP address and not a DNS name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check(routes: Sequence[Route], host: str) -> None:
    """Refuse routes of which one would hide another."""
    if not routes:
        raise ValueError("routes must hold at least 1 route, found none; a gateway without leads nowhere")
    services = [route.service for route in routes]
    for service in services:
        if services.count(service) > 1:
            raise ValueError(f"routes must name each service once, found {service} twice; give one route all paths")
    taken: dict[tuple[str, str], str] = {}
    for route in routes:
        for path in route.paths:
            where = (route.host or host, path)
            if where in taken:
                raise ValueError(
                    f"routes must have each path of a host once, found {path} of {where[0]} for {taken[where]} and "
                    f"for {route.service}; take it from one of them"
                )
            taken[where] = route.service


def hosts(host: str, routes: Sequence[Route]) -> list[str]:
    """Return all names that the gateway is reached by, its own first."""
    return list(dict.fromkeys([host, *(route.host or host for route in routes)]))


def gateway_spec(class_name: str, host: str, routes: Sequence[Route], certificate: Any) -> dict[str, Any]:
    """Return the `spec` of a Gateway.

    Args:
        class_name: Of the GatewayClass.
        host: The gateway's own.
        routes: What it leads where.
        certificate: Name of the Secret (`kubernetes.io/tls`) with the certificate for all hosts.
    """
    tls = {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": certificate}]}
    return {
        "gatewayClassName": class_name,
        "listeners": [
            listener
            for one in hosts(host, routes)
            for listener in (
                _listener("http", one, host, {"protocol": "HTTP", "port": HTTP_PORT}),
                _listener("https", one, host, {"protocol": "HTTPS", "port": HTTPS_PORT, "tls": tls}),
            )
        ],
    }


def _listener(scheme: str, host: str, own: str, rest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _section(scheme, host, own),
        # An address is no host name: that listener takes what has a name of no other listener.
        **({} if is_address(host) else {"hostname": host}),
        **rest,
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }


def _section(scheme: str, host: str, own: str) -> str:
    return scheme if host == own else f"{scheme}-{host}"


def redirect_spec(gateway: str, host: str, routes: Sequence[Route]) -> dict[str, Any]:
    """Return the `spec` of the HTTPRoute that answers all requests by http: the same URL by https, for good."""
    return {
        "parentRefs": [_parent(gateway, _section("http", one, host)) for one in hosts(host, routes)],
        "rules": [
            {
                "matches": [_match("/")],
                "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}],
            }
        ],
    }


def route_spec(gateway: str, host: str, route: Route, extensions: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the `spec` of the HTTPRoute of one service; which host it is for, its listener says.

    Args:
        gateway: Name of the Gateway.
        host: The gateway's own.
        route: What is led where.
        extensions: Further filters, in the order in which a request goes through them.
    """
    reached_by = route.host or host
    headers = {
        **HEADERS,
        **({"Content-Security-Policy": CONTENT_POLICY + INLINE_SCRIPTS} if route.inline_scripts else {}),
        **({} if is_address(reached_by) else HSTS),
    }
    added = {"set": [{"name": name, "value": value} for name, value in headers.items()]}
    stripped = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    return {
        "parentRefs": [_parent(gateway, _section("https", reached_by, host))],
        "rules": [
            {
                "matches": [_match(path) for path in route.paths],
                # The headers come first, so that what a later filter refuses has them too.
                "filters": [
                    {"type": "ResponseHeaderModifier", "responseHeaderModifier": added},
                    *extensions,
                    *([stripped] if route.strips_path else []),
                ],
                "backendRefs": [{"group": "", "kind": "Service", "name": route.service, "port": route.port}],
                **({"timeouts": {"request": f"{route.timeout_seconds}s"}} if route.timeout_seconds else {}),
            }
        ],
    }


def _parent(gateway: str, section: str) -> dict[str, str]:
    return {"group": GROUP, "kind": "Gateway", "name": gateway, "sectionName": section}


def _match(path: str) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": path}}
