"""How a Service is reached: its type, what to wait for when it is made, and its URL."""

from typing import Literal

import pulumi
from pulumi_kubernetes.core.v1 import Service

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]


def await_annotations(service_type: ServiceType) -> dict[str, str]:
    """Return the annotations that say when the provider is to call the Service made.

    Left alone, it waits for ready endpoints and then 10 s more for them to settle. That the pods are ready is waited
    for where they are made; what only the Service can tell is the load balancer's address.
    """
    if service_type == "LoadBalancer":
        return {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
    return {"pulumi.com/skipAwait": "true"}


def url(service: Service, service_type: ServiceType, port: int) -> pulumi.Output[str]:
    """Return the URL of a Service that speaks HTTP on `port`.

    LoadBalancer: by the address or host name that was given to it. ClusterIP and NodePort: by its name inside the
    cluster; which nodes a NodePort can be reached at from outside, the Service does not know.
    """
    suffix = "" if port == 80 else f":{port}"
    if service_type == "LoadBalancer":
        ingress = service.status.load_balancer.ingress[0]
        return pulumi.Output.all(ingress.ip, ingress.hostname).apply(
            lambda address: f"http://{address[0] or address[1]}{suffix}"
        )
    return service.metadata.apply(lambda metadata: f"http://{metadata.name}.{metadata.namespace}.svc{suffix}")
