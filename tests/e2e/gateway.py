"""Requests that come in through the gateway, as a client sends them for whom the stack's host is in the DNS."""

from typing import Any

import httpx

from local import web
from tests.e2e.project import Project


def client(project: Project, *, authority: str | None = None) -> httpx.Client:
    """Return a client of what the stack serves, which trusts the stack's authority alone.

    Args:
        project: Whose stack it is.
        authority: What is trusted instead, as PEM.
    """
    return web.client(authority or project.output("ca_certificate"), base_url=project.output("url"))


def guard(project: Project, what: str) -> tuple[str, Any]:
    """Return the first path of the route that is guarded by a Middleware `SERVICE-what`, and the Middleware's spec."""
    found = [
        (path_of(project, one["metadata"]["name"].removesuffix(f"-{what}")), one["spec"])
        for one in project.kubectl("get", "middlewares.traefik.io")["items"]
        if one["metadata"]["name"].endswith(f"-{what}")
    ]
    assert found, f"no route of the stack has a {what}"
    return found[0]


def path_of(project: Project, service: str) -> str:
    """Return the first path that leads to a service."""
    route = project.kubectl("get", "httproutes.gateway.networking.k8s.io", service)
    return str(route["spec"]["rules"][0]["matches"][0]["path"]["value"])
