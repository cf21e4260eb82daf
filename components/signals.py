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

Source = Signal | Literal["gateway"]
"""`gateway` tells what became of requests to the stack's routes, refused ones too. By the labels that it has here, only
a Prometheus of the stack's own knows it."""

SIGNALS: tuple[Signal, ...] = get_args(Signal)
ALL: tuple[Source, ...] = (*SIGNALS, "gateway")

METRICS: Mapping[Source, frozenset[str]] = {
    "kube-state-metrics": frozenset(
        {
            "kube_cronjob_created",
            "kube_cronjob_status_last_successful_time",
            "kube_deployment_spec_replicas",
            "kube_deployment_status_replicas_available",
            "kube_pod_container_status_restarts_total",
            "kube_resourcequota",
            "kube_statefulset_status_replicas_ready",
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
    "gateway": frozenset({"traefik_router_request_duration_seconds_bucket", "traefik_router_requests_total"}),
}
"""Sources: https://github.com/kubernetes/kube-state-metrics/tree/v2.15.0/docs/metrics,
https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md and
https://doc.traefik.io/traefik/v3.7/reference/install-configuration/observability/metrics/."""

SCRAPE = frozenset({"up"})
"""What Prometheus itself notes of each target."""


def missing(metrics: Collection[str], available: Collection[Source]) -> frozenset[Source]:
    """Return those of the sources that some of `metrics` come from and that are not `available`."""
    return frozenset(name for name in ALL if name not in available and METRICS[name] & set(metrics))


@dataclass(frozen=True, kw_only=True)
class KubeStateMetrics:
    """Where kube-state-metrics runs in the cluster."""

    namespace: str
    service: str
    port: int
    """Of the Service and of the pods behind it, whose label `app.kubernetes.io/name` is `kube-state-metrics`."""


@dataclass(frozen=True, kw_only=True)
class Traefik:
    """Where Traefik tells of its routers, with `metrics.prometheus.addRoutersLabels`; and whose routers count here."""

    gateway: str
    """Name of the stack's Gateway."""

    namespace: str
    """Of Traefik's pods."""

    service: str
    """Service with the metrics, of one pod: with more of them, each scrape would be answered by another."""

    port: int
    """Of the Service and of the pods behind it."""

    pods: Mapping[str, str]
    """Labels of these pods."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where a Prometheus of the stack's own finds the cluster's signals. Default: nowhere."""

    kube_state_metrics: KubeStateMetrics | None = None
    kubelets: Sequence[str] = ()
    """Networks of the nodes, in CIDR notation; each kubelet has cAdvisor in it."""

    gateway: Traefik | None = None

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        checks.field("kubelets", checks.networks, self.kubelets)

    @property
    def available(self) -> Sequence[Source]:
        """Those of which it is known where they are."""
        found: Mapping[Source, bool] = {
            "kube-state-metrics": self.kube_state_metrics is not None,
            "cadvisor": bool(self.kubelets),
            "gateway": self.gateway is not None,
        }
        return [name for name in ALL if found[name]]
