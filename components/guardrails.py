"""What holds for everything in a stack's namespace: who may talk, and how much may be taken.

No pod may talk to anybody, or be talked to, but for the cluster's DNS and the flows that components declare. Whatever
is deployed beside the program is held to the same. The Pod Security Standard stands in `cluster`, on the namespace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    ResourceQuota,
    ResourceQuotaSpecArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import checks, network
from components.labels import Labels
from components.ownership import owned
from components.quota import Demand, Quota
from components.resources import Resources

DNS = network.Flow(
    peer=network.Peer(namespace="kube-system", pods={"k8s-app": "kube-dns"}), ports=[53], protocols=("UDP", "TCP")
)
"""The cluster's DNS: CoreDNS carries the label of its predecessor everywhere."""

UNSTATED = Resources(
    cpu_request="10m",
    cpu_limit="200m",
    memory_request="32Mi",
    memory_limit="128Mi",
    ephemeral_storage_request="16Mi",
    ephemeral_storage_limit="128Mi",
)
"""What a container gets that states nothing itself. Those of this program all do."""


@dataclass(frozen=True, kw_only=True)
class GuardrailsArgs:
    """How much the namespace may hold, and what will be in it."""

    namespace: pulumi.Input[str]
    labels: Labels
    quota: Quota
    demands: Sequence[Demand]
    """Of every workload that the program declares."""

    def __post_init__(self) -> None:
        """Refuse workloads that the quota has no room for."""
        checks.field("quota", partial(Quota.check, demands=self.demands), self.quota)


class Guardrails(pulumi.ComponentResource):
    """ResourceQuota, LimitRange, and two NetworkPolicies."""

    namespace: pulumi.Output[str]
    """Name of the namespace, once all of these are in place."""

    def __init__(self, name: str, args: GuardrailsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare them."""
        super().__init__("cloudnative:index:Guardrails", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = args.labels.of(args.labels.part_of, "guardrails")

        def metadata(of: str) -> ObjectMetaArgs:
            return owned(name=of, namespace=args.namespace, labels=labels)

        unstated = UNSTATED.requirements()
        made: list[ResourceQuota | LimitRange | NetworkPolicy] = [
            ResourceQuota(
                f"{name}-quota",
                metadata=metadata("quota"),
                spec=ResourceQuotaSpecArgs(hard=args.quota.hard()),
                opts=child,
            ),
            LimitRange(
                f"{name}-limits",
                metadata=metadata("limits"),
                spec=LimitRangeSpecArgs(
                    limits=[
                        LimitRangeItemArgs(type="Container", default=unstated.limits, default_request=unstated.requests)
                    ]
                ),
                opts=child,
            ),
            NetworkPolicy(f"{name}-deny", metadata=metadata("default-deny"), spec=network.spec({}), opts=child),
            NetworkPolicy(f"{name}-dns", metadata=metadata("dns"), spec=network.spec({}, egress=[DNS]), opts=child),
        ]
        self.namespace = pulumi.Output.all(*(one.metadata.namespace for one in made)).apply(lambda names: str(names[0]))
        self.register_outputs({"namespace": self.namespace})
