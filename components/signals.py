"""What a cluster can tell of pods beside what their services export, and by which metrics.

A rule or a panel that needs a metric is declared where that metric has a source, and only there. Deliberately few: what
rules and panels here use, not all that the sources have.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from components import checks

Signal = Literal["kube-state-metrics", "cadvisor"]
"""kube-state-metrics tells what the API server knows of objects; cAdvisor, in each kubelet, what containers take."""

SIGNALS: tuple[Signal, ...] = get_args(Signal)

METRICS: Mapping[Signal, frozenset[str]] = {
    "kube-state-metrics": frozenset(
        {
            "kube_deployment_spec_replicas",
            "kube_deployment_status_replicas_available",
            "kube_pod_container_status_restarts_total",
            "kube_resourcequota",
        }
    ),
    "cadvisor": frozenset(
        {
            "container_cpu_cfs_periods_total",
            "container_cpu_cfs_throttled_periods_total",
            "container_cpu_usage_seconds_total",
            "container_memory_working_set_bytes",
            "container_spec_memory_limit_bytes",
        }
    ),
}
"""Sources: https://github.com/kubernetes/kube-state-metrics/tree/v2.15.0/docs/metrics and
https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md."""

SCRAPE = frozenset({"up"})
"""What Prometheus itself notes of each target."""


def missing(metrics: Collection[str], signals: Collection[Signal]) -> frozenset[Signal]:
    """Return those of the sources that some of `metrics` come from and that are not among `signals`."""
    return frozenset(name for name in SIGNALS if name not in signals and METRICS[name] & set(metrics))


@dataclass(frozen=True, kw_only=True)
class KubeStateMetrics:
    """Where kube-state-metrics runs in the cluster."""

    namespace: str
    service: str
    port: int
    """Of the Service and of the pods behind it, whose label `app.kubernetes.io/name` is `kube-state-metrics`."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where a Prometheus of the stack's own finds the cluster's signals. Default: nowhere."""

    kube_state_metrics: KubeStateMetrics | None = None
    kubelets: Sequence[str] = ()
    """Networks of the nodes, in CIDR notation; each kubelet has cAdvisor in it."""

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        checks.field("kubelets", checks.networks, self.kubelets)

    @property
    def available(self) -> Sequence[Signal]:
        """The signals that these tell."""
        found: Mapping[Signal, bool] = {
            "kube-state-metrics": self.kube_state_metrics is not None,
            "cadvisor": bool(self.kubelets),
        }
        return [name for name in SIGNALS if found[name]]
