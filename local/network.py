"""The embedded platform's addresses: one private /16, of which the machine itself sees the node and the load balancers.

All of it lives in a network namespace of its own that is joined to the machine by one veth pair. Nothing is routed
beyond the machine, in either direction.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, kw_only=True)
class Network:
    """Addresses of the platform; the defaults are what `Pulumi.<stack>.yaml` refers to."""

    whole: IPv4Network = IPv4Network("10.90.0.0/16")
    link: IPv4Network = IPv4Network("10.90.0.0/24")
    node: IPv4Address = IPv4Address("10.90.0.1")
    machine: IPv4Address = IPv4Address("10.90.0.254")
    load_balancers: IPv4Network = IPv4Network("10.90.1.0/24")
    gateway: IPv4Address = IPv4Address("10.90.1.1")
    pods: IPv4Network = IPv4Network("10.90.64.0/18")
    services: IPv4Network = IPv4Network("10.90.128.0/18")
    dns: IPv4Address = IPv4Address("10.90.128.10")
    interface: str = "cloudnative"
    bridge: str = "pods"
    api_port: int = 6443
    registry_port: int = 5000
    policy_queue: int = 100  # of netfilter: where new connections wait for a verdict

    @property
    def registry(self) -> str:
        """`host:port` of the registry, as it stands in image references."""
        return f"{self.node}:{self.registry_port}"

    @property
    def assigned(self) -> str:
        """The load balancers' addresses, `first-last`, that any service may be given: all but the gateway's."""
        return f"{self.gateway + 1}-{self.load_balancers.broadcast_address - 1}"

    @property
    def api(self) -> str:
        """URL of the Kubernetes API server."""
        return f"https://{self.node}:{self.api_port}"


NETWORK = Network()
