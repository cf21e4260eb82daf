"""What to scrape, and how to say so: Prometheus' own configuration and the Prometheus Operator's ServiceMonitor.

Pure functions over the services that the program declares. Both give a target the same labels (job, namespace, pod,
service), so that a query is right with either back end. They hold no rules and no alerts.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import checks
from components.signals import Sources, Traefik
from components.yaml_text import to_yaml

CONFIG_FILE = "prometheus.yml"
"""What a file with `scrape_config`'s text is called."""

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, kw_only=True)
class ScrapeTarget:
    """The metrics of one service: all pods behind one port of one Kubernetes Service of the stack's namespace."""

    name: str
    """Name of the service that the metrics are about; labels `job` and `service` of each series."""

    namespace: str
    """The stack's namespace; label `namespace` of each series."""

    service: str
    """Name of the Kubernetes Service that has the port."""

    selector: Mapping[str, str]
    """Labels that, in the stack's namespace, only that Service has."""

    pods: Mapping[str, str]
    """Labels that, in the stack's namespace, only the pods behind it have."""

    ports: Collection[str]
    """Names of the Service's ports."""

    port: str
    """Name of the port that serves the metrics, of the Service and of the pods."""

    path: str = "/metrics"

    def __post_init__(self) -> None:
        """Refuse a port that the Service does not have: it would be scraped never, and nobody would be told."""
        checks.field("port", lambda name: checks.known_port(name, self.ports), self.port)

    @property
    def about(self) -> Mapping[str, str]:
        """Labels that all its series have, and nobody else's."""
        return {"namespace": self.namespace, "service": self.name}

    @property
    def matchers(self) -> str:
        """What selects its series, and nobody else's, in a query."""
        return ",".join(f'{label}="{value}"' for label, value in self.about.items())


def scrape_config(
    targets: Sequence[ScrapeTarget], interval_seconds: int, *, sources: Sources, alertmanager: str, rules: str
) -> str:
    """Return a `prometheus.yml` that scrapes exactly `targets`, in the namespace that Prometheus itself runs in.

    The text depends on nothing but the arguments, so that it changes, and Prometheus is rolled, only with them.

    Args:
        targets: The services.
        interval_seconds: Time between two scrapes, and between two evaluations of the rules.
        sources: Where the cluster's own signals are; of them, what is about other namespaces is dropped.
        alertmanager: Host and port that alerts are sent to.
        rules: Path of the rule file.
    """
    (namespace,) = {target.namespace for target in targets}
    config = {
        "global": {
            "scrape_interval": f"{interval_seconds}s",
            "scrape_timeout": f"{_timeout(interval_seconds)}s",
            "evaluation_interval": f"{interval_seconds}s",
        },
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            *(_job(target) for target in sorted(targets, key=lambda target: target.name)),
            *_signal_jobs(sources, namespace),
        ],
    }
    return to_yaml(config)


def service_monitor_spec(target: ScrapeTarget, interval_seconds: int) -> dict[str, Any]:
    """Return the `spec` of a ServiceMonitor (monitoring.coreos.com/v1) in the namespace of the `target`."""
    return {
        "jobLabel": "app.kubernetes.io/name",
        "selector": {"matchLabels": dict(target.selector)},
        "endpoints": [
            {
                "port": target.port,
                "path": target.path,
                "interval": f"{interval_seconds}s",
                "scrapeTimeout": f"{_timeout(interval_seconds)}s",
                # The Operator labels with the Kubernetes Service's name, which is not what people call the service.
                "relabelings": [{"targetLabel": "service", "replacement": target.name}],
            }
        ],
    }


def _timeout(interval_seconds: int) -> int:
    """Prometheus' own default of 10 s, or the interval where that is shorter: a longer timeout is refused."""
    return min(10, interval_seconds)


def _job(target: ScrapeTarget) -> dict[str, Any]:
    return {
        "job_name": target.name,
        "metrics_path": target.path,
        # Prometheus runs one watch for all jobs whose discovery is equal, so a job a service costs no more.
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"own_namespace": True}}],
        "relabel_configs": [
            {
                "action": "keep",
                "source_labels": ["__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"],
                "regex": f"{target.service};{target.port}",
            },
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            {"replacement": target.name, "target_label": "service"},
        ],
    }


def _signal_jobs(sources: Sources, namespace: str) -> Iterator[dict[str, Any]]:
    kept = {
        "honor_labels": True,
        "metric_relabel_configs": [{"action": "keep", "source_labels": ["namespace"], "regex": namespace}],
    }
    if sources.kube_state_metrics:
        where = sources.kube_state_metrics
        host = f"{where.service}.{where.namespace}.svc:{where.port}"
        yield {"job_name": "kube-state-metrics", "static_configs": [{"targets": [host]}], **kept}
    if sources.kubelets:
        yield {
            "job_name": "cadvisor",
            "kubernetes_sd_configs": [{"role": "node"}],
            "scheme": "https",
            "metrics_path": "/metrics/cadvisor",
            # Its samples bring their own times; without this, the series of an ended pod would linger for 5 minutes.
            "track_timestamps_staleness": True,
            "authorization": {"credentials_file": f"{_ACCOUNT}/token"},
            "tls_config": {"ca_file": f"{_ACCOUNT}/ca.crt"},
            **kept,
        }
    if sources.gateway:
        yield _gateway_job(sources.gateway, namespace)


def _gateway_job(where: Traefik, namespace: str) -> dict[str, Any]:
    """Return the job of the gateway, whose series get labels `namespace` and `route` in place of Traefik's own.

    Traefik calls the router of an HTTPRoute `httproute-NAMESPACE-ROUTE-gw-NAMESPACE-GATEWAY-ep-` and so on. Both
    namespaces and the gateway's name have to fit, so that a namespace that merely begins alike does not.
    """
    router = f"httproute-{namespace}-(.+)-gw-{namespace}-{where.gateway}-ep-.+@kubernetesgateway"
    host = f"{where.service}.{where.namespace}.svc:{where.port}"
    return {
        "job_name": "gateway",
        "static_configs": [{"targets": [host]}],
        "metric_relabel_configs": [
            {"action": "keep", "source_labels": ["router"], "regex": router},
            {"source_labels": ["router"], "regex": router, "target_label": "route"},
            {"replacement": namespace, "target_label": "namespace"},
            {"action": "labeldrop", "regex": "router|service"},
        ],
    }
