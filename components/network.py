"""Who may talk to whom, as NetworkPolicies: everything is refused in both directions, and each flow is declared.

Pure helpers over the API's own types; the policy that refuses everything is made by `guardrails`, and each component
declares the flows of its own pods. What enforces them is the cluster's network plugin; there are some that do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from components import checks

ANYWHERE = ("0.0.0.0/0",)
"""Every IPv4 address, pods' included."""

API_SERVER_PORTS = (443, 6443)
"""Of the Service `kubernetes` and, as kubeadm has it, of what is behind it: policies may be held against either."""

NAMESPACE = "kubernetes.io/metadata.name"
"""Label that the API server itself puts on every namespace; its value is the namespace's name."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Who is at the other end of a flow: pods, or addresses."""

    pods: Mapping[str, str] | None = None
    """Labels of the pods, in the policy's own namespace unless `namespace` says otherwise."""

    namespace: str | None = None
    """Name of the pods' namespace; without `pods`, all pods of it."""

    addresses: Sequence[str] = ()
    """IP networks in CIDR notation."""

    def __post_init__(self) -> None:
        """Refuse a peer that is nobody, and addresses that are none."""
        if not (self.pods or self.namespace or self.addresses):
            raise ValueError("a peer must have pods, a namespace or addresses, found none: it would be everybody")
        checks.field("addresses", checks.networks, self.addresses)

    def peers(self) -> list[NetworkPolicyPeerArgs]:
        """Return it in the form that a rule takes."""
        found = [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr)) for cidr in self.addresses]
        if self.pods or self.namespace:
            found.append(
                NetworkPolicyPeerArgs(
                    pod_selector=LabelSelectorArgs(match_labels=self.pods) if self.pods else None,
                    namespace_selector=LabelSelectorArgs(match_labels={NAMESPACE: self.namespace})
                    if self.namespace
                    else None,
                )
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Connections with one peer, by ports of the end that is connected to: names, or numbers where it has none."""

    peer: Peer
    ports: Sequence[str | int]
    protocols: Sequence[str] = ("TCP",)

    def __post_init__(self) -> None:
        """Refuse a flow without ports, which would be all of them."""
        if not self.ports:
            raise ValueError("a flow must have ports, found none: it would be all of them")


def spec(
    pods: Mapping[str, str], *, ingress: Sequence[Flow] = (), egress: Sequence[Flow] = ()
) -> NetworkPolicySpecArgs:
    """Return the `spec` of a policy that allows the pods with these labels these flows and refuses all others.

    No labels are all pods of the namespace.
    """
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=pods or None),
        policy_types=["Ingress", "Egress"],
        ingress=[NetworkPolicyIngressRuleArgs(from_=flow.peer.peers(), ports=_ports(flow)) for flow in ingress] or None,
        egress=[NetworkPolicyEgressRuleArgs(to=flow.peer.peers(), ports=_ports(flow)) for flow in egress] or None,
    )


def _ports(flow: Flow) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=port, protocol=protocol) for port in flow.ports for protocol in flow.protocols]
