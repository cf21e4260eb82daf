"""What keeps a service answering while its pods come and go: how many there are, where, and how one of them ends.

Pure: types that check themselves, and the parts of objects that follow from them. The objects are made by
`web_service`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.core.v1 import TopologySpreadConstraintArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgs


@dataclass(frozen=True, kw_only=True)
class Shutdown:
    """How a pod ends, in seconds. The defaults lose no request on a cluster that hears of an ending pod within 5 s."""

    pre_stop_seconds: int = 5
    """How long a pod that is to end goes on as if nothing had happened: until no node sends it requests any more."""

    drain_seconds: int = 5
    """How long the app, told to end, still accepts requests: until balancers outside have seen /readyz fail."""

    in_flight_seconds: int = 20
    """How long requests may then take to finish."""

    grace_seconds: int = 35
    """When the kubelet kills what is still there."""

    def __post_init__(self) -> None:
        """Refuse a pod that would be killed before it is done."""
        needed = self.pre_stop_seconds + self.drain_seconds + self.in_flight_seconds
        if min(self.pre_stop_seconds, self.drain_seconds, self.in_flight_seconds) < 0:
            raise ValueError(f"seconds must not be negative, found {self}")
        if self.grace_seconds <= needed:
            raise ValueError(
                "grace_seconds must be above pre_stop_seconds + drain_seconds + in_flight_seconds, "
                f"which are {needed}, found {self.grace_seconds}: the kubelet would kill requests in flight"
            )


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """How far the number of pods may grow with their load."""

    max_replicas: int
    cpu_percent: int = 70
    """Share of the CPU that pods ask for, on their average, above which there will be more of them; 1 to 100."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not 1 <= self.cpu_percent <= 100:
            raise ValueError(f"cpu_percent must be from 1 to 100, found {self.cpu_percent}")


def autoscaler(name: str, replicas: int, autoscaling: Autoscaling) -> HorizontalPodAutoscalerSpecArgs:
    """Return the `spec` of the autoscaler of the Deployment `name`, between `replicas` and the most that is allowed."""
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=name),
        min_replicas=replicas,
        max_replicas=autoscaling.max_replicas,
        metrics=[
            MetricSpecArgs(
                type="Resource",
                resource=ResourceMetricSourceArgs(
                    name="cpu",
                    target=MetricTargetArgs(type="Utilization", average_utilization=autoscaling.cpu_percent),
                ),
            )
        ],
    )


def budget(pods: Mapping[str, str], max_unavailable: int) -> PodDisruptionBudgetSpecArgs:
    """Return the `spec` of a budget that lets a node's drain take `max_unavailable` pods at a time.

    Pods that are not ready may always be taken: a service that is broken must not keep a node from being drained.
    """
    return PodDisruptionBudgetSpecArgs(
        max_unavailable=max_unavailable,
        selector=LabelSelectorArgs(match_labels=pods),
        unhealthy_pod_eviction_policy="AlwaysAllow",
    )


def spread(pods: Mapping[str, str]) -> list[TopologySpreadConstraintArgs]:
    """Return the rules that spread pods over nodes and zones, as evenly as there is room.

    Each revision counts by itself: old pods that are about to go must not decide where new ones come to be.
    """
    return [
        TopologySpreadConstraintArgs(
            topology_key=key,
            max_skew=1,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=LabelSelectorArgs(match_labels=pods),
            match_label_keys=["pod-template-hash"],
        )
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
