"""How a Service is reached: its type, from where, what to wait for when it is made, and its URL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.core.v1.outputs import ServiceStatus

from components import network
from components.network import Peer

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A gateway that leads to a Service."""

    url: str
    """Where it does, with the path that it takes off."""

    gateway: Peer
    """Its pods."""


def await_annotations(service_type: ServiceType) -> dict[str, str]:
    """Return the annotations that say when the provider is to call the Service made.

    Left alone, it waits for ready endpoints and then 10 s more for them to settle. That the pods are ready is waited
    for where they are made; what only the Service can tell is the load balancer's address.
    """
    if service_type == "LoadBalancer":
        return {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
    return {"pulumi.com/skipAwait": "true"}


def load_balancer_source_ranges(service_type: ServiceType, ranges: Sequence[str]) -> list[str] | None:
    """Return what a load balancer is to let through; None is everything, and all that other types can say."""
    if service_type != "LoadBalancer" or set(network.ANYWHERE) <= set(ranges):
        return None
    return list(ranges)


def url(service: Service, service_type: ServiceType, port: int) -> pulumi.Output[str]:
    """Return the URL of a Service that speaks HTTP on `port`.

    LoadBalancer: by the address or host name that was given to it; where the Service is only rendered, it has none, and
    the name is one that never resolves (RFC 2606). ClusterIP and NodePort: by its name inside the
    cluster; which nodes a NodePort can be reached at from outside, the Service does not know.
    """
    suffix = "" if port == 80 else f":{port}"
    if service_type == "LoadBalancer":
        return service.status.apply(lambda status: f"http://{_address(status)}{suffix}")
    return service.metadata.apply(lambda metadata: f"http://{metadata.name}.{metadata.namespace}.svc{suffix}")


def _address(status: ServiceStatus | None) -> str:
    if status is None or not status.load_balancer or not status.load_balancer.ingress:
        return "load-balancer.invalid"
    first = status.load_balancer.ingress[0]
    return str(first.ip or first.hostname)
