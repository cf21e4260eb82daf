"""The keys about who scrapes and alerts, and where spans are sent to."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from components import checks, network, objective, signals, tracing
from components.exposure import ServiceType
from components.signals import Signal
from keys.base import DnsLabel, ImageReference, Keys, Networks, Port, ScrapeInterval, limits

WEBHOOK = "alertWebhookUrl"

_DURATION = "a whole number with a unit (s, m, h, d, w, y), such as 12h or 1d"


class Tracing(Keys):
    """`tracing`: where the services send the spans of their requests."""

    endpoint: Annotated[str, AfterValidator(tracing.collector), limits(tracing.COLLECTOR)] | None = Field(
        default=None, description="Collector that services send spans to, by OTLP over HTTP; default: no spans."
    )
    networks: Networks | None = Field(default=None, description="Networks that the collector is in; with `endpoint`.")

    @field_validator("networks")
    @classmethod
    def _belong_to_endpoint(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if "endpoint" in info.data and info.data["endpoint"] and not value:
            raise ValueError("must be set, because tracing.endpoint is; without, no pod may talk to it")
        if "endpoint" in info.data and not info.data["endpoint"] and value:
            raise ValueError("must not be set, because tracing.endpoint is not; or set that")
        return value


class _Monitoring(Keys):
    runbooks: str = Field(
        default="docs/runbooks.md",
        min_length=1,
        description="Where the runbooks are, a path or URL; alerts link to a section of it.",
    )
    # Before the divisor, which is held against it.
    scrape_interval_seconds: ScrapeInterval
    window_divisor: Annotated[int, limits(objective.DIVISOR)] = Field(
        default=1, description="What the windows of all objectives are divided by, for a drill."
    )

    @field_validator("window_divisor")
    @classmethod
    def _long_enough(cls, value: int, info: ValidationInfo) -> int:
        interval = info.data.get("scrape_interval_seconds")
        return value if interval is None else objective.check_divisor(value, interval=interval)


class KubeStateMetrics(Keys):
    """`kubeStateMetrics`: where kube-state-metrics runs in the cluster."""

    namespace: DnsLabel = Field(default="monitoring", description="Namespace of kube-state-metrics.")
    service: DnsLabel = Field(default="kube-state-metrics", description="Name of its Service.")
    port: Port = Field(default=8080, description="Port of its Service and of its pods.")


class PrometheusServer(_Monitoring):
    """`monitoring` of kind `prometheus`: a server of the stack's own, and an Alertmanager."""

    kind: Literal["prometheus"]
    image: ImageReference = Field(description="Image of Prometheus.")
    alertmanager_image: ImageReference = Field(description="Image of Alertmanager.")
    retention: Annotated[str, Field(pattern=r"^[1-9][0-9]*[smhdwy]$"), limits(_DURATION)] = Field(
        default="1d", description="How long samples are kept."
    )
    scrape_interval_seconds: ScrapeInterval = Field(default=5, description="Time between two scrapes.")
    published: bool = Field(
        default=False, description="Whether the gateway leads to the two servers, at `/prometheus`, `/alertmanager`."
    )
    service_type: ServiceType = Field(default="ClusterIP", description="How the two servers are reached otherwise.")
    source_ranges: Networks = Field(default=network.ANYWHERE, description="Networks that may reach them.")
    api_server: Networks = Field(description="Networks of the API server, which the server asks what there is.")
    kube_state_metrics: KubeStateMetrics | None = None
    kubelets: Networks | None = Field(
        default=None, description="Networks of the nodes, whose kubelets tell what pods take; default: not scraped."
    )
    webhook_networks: Networks = Field(
        default=network.ANYWHERE, description=f"Networks that `{WEBHOOK}` is at, which Alertmanager may reach."
    )

    @field_validator("service_type")
    @classmethod
    def _is_no_second_way(cls, value: ServiceType, info: ValidationInfo) -> ServiceType:
        if info.data.get("published") and value != "ClusterIP":
            raise ValueError(
                f"must not be set with published, found {value}, which would be a second way to the servers, past the "
                "gateway; take one of the two out"
            )
        return value

    def sources(self, gateway: signals.Traefik | None) -> signals.Sources:
        """Return where the cluster's own signals are, and the gateway's, as components take it."""
        where = self.kube_state_metrics
        return signals.Sources(
            kube_state_metrics=signals.KubeStateMetrics(**where.model_dump()) if where else None,
            kubelets=self.kubelets or (),
            gateway=gateway,
        )


class PrometheusOperator(_Monitoring):
    """`monitoring` of kind `operator`: objects for a Prometheus Operator in the cluster."""

    kind: Literal["operator"]
    labels: Annotated[dict[str, str], AfterValidator(checks.labels), limits("an object of Kubernetes labels")] = Field(
        default={}, description="Labels that the cluster's Prometheus and Alertmanager select objects by."
    )
    namespace: DnsLabel = Field(default="monitoring", description="Namespace of that Prometheus, which may scrape.")
    scrape_interval_seconds: ScrapeInterval = Field(default=15, description="Time between two scrapes.")
    signals: tuple[Signal, ...] = Field(
        default=(), description="What that Prometheus scrapes beside services; rules and panels that need it follow."
    )
