"""The stack's configuration: the only reader of `Pulumi.<stack>.yaml`.

`load` gives frozen, validated settings, or raises one error that names every wrong key, what it may be and what was
found, before any resource is registered. The engine checks `Pulumi.yaml`'s types before that, but stops at the first
key and does not show the value; there, the keys are therefore few and mostly objects, and what is in them is checked
here.

It decides nothing: which components there are, and what they get, stands in `__main__.py`.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

import config_schema
from components import (
    alertmanager,
    checks,
    network,
    objective,
    prometheus,
    quota,
    resources,
    signals,
    tracing,
    web_service,
)
from components.exported_metrics import ExportedMetrics
from components.exposure import ServiceType
from components.image import Builder, Platform, check_docker_builder
from components.quota import Demand
from components.signals import Signal
from config_schema import Problem
from image_lock import LOCK, Pins, read_lock

PASSWORD = "registryPassword"  # noqa: S105 - the key, not a password
WEBHOOK = "alertWebhookUrl"
SECRETS = (PASSWORD, WEBHOOK, "webappSecrets")
"""The keys that may hold secrets, and must not hold anything else."""


WEBAPP_METRICS = ExportedMetrics.read(Path(__file__).parent / "app/webapp/metrics.json")
"""What the service says that it exports, which its objective is held against."""


class SettingsError(pulumi.RunError):
    """The configuration is wrong; the message names every wrong key. Pulumi prints it without a traceback."""


def _limits(text: str) -> Any:
    """Keep the words for what a value may be; error messages and the reference in README.md use them."""
    return Field(json_schema_extra={"limits": text})


def _pinned(value: str, info: ValidationInfo) -> str:
    return info.context.pinned(value) if isinstance(info.context, Pins) else checks.image(value)


def _lock(value: str) -> str:
    if value:
        read_lock(value)
    return value


def _quantity(value: str) -> str:
    checks.quantity(value)
    return value


def _webhook(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        checks.port_of(value.get_secret_value())
    return value


def _readable_certificates(value: str) -> str:
    path = Path(value)
    try:
        if path.is_absolute() and "BEGIN CERTIFICATE" in path.read_text(encoding="utf-8"):
            return value
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"must be {_CERTIFICATES}, found {value!r} ({error})") from error
    raise ValueError(f"must be {_CERTIFICATES}, found {value!r}")


_CERTIFICATES = "the absolute path of a readable file with certificates in PEM"
_RELEASE = "1 to 128 letters, digits, dots, hyphens, underscores or plus signs"
_DURATION = "a whole number with a unit (s, m, h, d, w, y), such as 12h or 1d"

DnsLabel = Annotated[str, AfterValidator(checks.dns_label), _limits(checks.DNS_LABEL)]
EnvName = Annotated[str, AfterValidator(checks.env_name), _limits(checks.ENV_NAME)]
ImageReference = Annotated[str, AfterValidator(_pinned), _limits(checks.IMAGE)]
PinnedImage = Annotated[str, AfterValidator(checks.pinned_image), _limits(checks.PINNED)]
Networks = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(checks.networks), _limits(checks.NETWORKS)]
SecretName = Annotated[str, AfterValidator(checks.secret_name), _limits(checks.SECRET_NAME)]
Quantity = Annotated[str, AfterValidator(_quantity), _limits(checks.QUANTITY)]
Port = Annotated[int, Field(ge=1, le=65535)]
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535)]
ScrapeInterval = Annotated[int, Field(ge=1, le=300)]
Percent = Annotated[float, AfterValidator(objective.percent), _limits(objective.PERCENT)]


class _Keys(BaseModel):
    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        hide_input_in_errors=True,
    )


class Cluster(_Keys):
    """`cluster`: where the stack is deployed to."""

    context: Annotated[
        str, Field(min_length=1, description="Context of the kubeconfig."), _limits("a context of the kubeconfig")
    ]
    kubeconfig: str | None = Field(
        default=None, description="Path of the kubeconfig; default: `KUBECONFIG`, `~/.kube/config`."
    )
    render_to: str | None = Field(
        default=None, min_length=1, description="Folder to write manifests to, instead of deploying; see `make render`."
    )
    namespace: DnsLabel = Field(description="Namespace of the stack; made and destroyed with it.")

    @field_validator("kubeconfig")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if value is not None and not Path(value).expanduser().is_file():
            raise ValueError(f"must be the path of a kubeconfig, found {value!r}, which is no file")
        return value


class Registry(_Keys):
    """`registry`: where images are pushed to, and pulled from."""

    address: Annotated[str, AfterValidator(checks.registry), _limits(checks.REGISTRY)] = Field(
        description="Registry, with a path if repositories are to be made below one."
    )
    username: str | None = Field(
        default=None, min_length=1, description=f"User to log in as, with `{PASSWORD}`; default: no login."
    )


class Build(_Keys):
    """`build`: how images are built."""

    builder: Builder = Field(default="buildkit", description="`docker` is for a plain Docker daemon.")
    builder_name: str | None = Field(
        default=None,
        min_length=1,
        description="Buildx builder, for `buildkit`; default: the one `docker buildx use` chose.",
    )
    platforms: tuple[Platform, ...] = Field(
        default=("linux/amd64",), min_length=1, description="Platforms to build for."
    )
    base_image: ImageReference = Field(description="Image that services run on.")
    build_image: ImageReference = Field(description="Image that services are built in.")
    cache: bool = Field(default=False, description="Keep the build cache in the registry; costs a push at every build.")
    ca_certificates: Annotated[str, AfterValidator(_readable_certificates), _limits(_CERTIFICATES)] | None = Field(
        default=None, description="CA certificates that builds trust instead of their image's own, for `buildkit`."
    )

    @field_validator("builder_name", "platforms", "ca_certificates")
    @classmethod
    def _suits_builder(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("builder") == "docker" and info.field_name:
            check_docker_builder(info.field_name, value)
        return value


class Resources(_Keys):
    """`resources`: what one pod asks for, and may take at most."""

    # Limits first: a request is compared with its limit, and a validator sees only the fields before its own.
    cpu_limit: Quantity = Field(default="1", description="CPU that a pod may use.")
    cpu_request: Quantity = Field(default="50m", description="CPU that is kept for a pod; not above `cpuLimit`.")
    memory_limit: Quantity = Field(default="256Mi", description="Memory above which a pod is killed.")
    memory_request: Quantity = Field(
        default="96Mi", description="Memory that is kept for a pod; not above `memoryLimit`."
    )
    ephemeral_storage_limit: Quantity = Field(default="256Mi", description="Disk above which a pod is evicted.")
    ephemeral_storage_request: Quantity = Field(
        default="32Mi", description="Disk that is kept for a pod; not above `ephemeralStorageLimit`."
    )

    @field_validator("cpu_request", "memory_request", "ephemeral_storage_request")
    @classmethod
    def _within_limit(cls, value: str, info: ValidationInfo) -> str:
        limit = info.data.get((info.field_name or "").replace("request", "limit"))
        if limit is not None:
            checks.within(value, limit)
        return value

    def of_pod(self) -> resources.Resources:
        """Return them as components take them."""
        return resources.Resources(**self.model_dump())


class Autoscaling(_Keys):
    """`autoscaling`: how far the number of pods may grow."""

    max_replicas: int = Field(ge=2, le=100, description="The most pods; above `replicas`, which are then the fewest.")
    cpu_percent: int = Field(
        default=70, ge=1, le=100, description="Average share of the CPU asked for, above which pods are added."
    )


class Objective(_Keys):
    """`objective`: what the users of the service are promised."""

    availability_percent: Percent = Field(
        default=99.9, description="Share of requests that are not answered with a server's error."
    )
    latency_percent: Percent = Field(default=99.0, description="Share of requests answered within `latencySeconds`.")
    latency_seconds: Annotated[float, Field(gt=0), _limits("a bucket of the service's histogram")] = Field(
        default=0.25, description="Time in which a request counts as fast."
    )
    days: int = Field(default=30, ge=1, le=90, description="Days that the error budget is for.")

    @field_validator("latency_seconds")
    @classmethod
    def _is_a_bucket(cls, value: float) -> float:
        return objective.bucket(value, WEBAPP_METRICS)

    def of_service(self) -> objective.Objective:
        """Return it as components take it."""
        return objective.Objective(**self.model_dump())


class Faults(_Keys):
    """`faults`: what goes wrong on purpose."""

    error_percent: float = Field(
        default=0,
        ge=0,
        le=100,
        description="Share of the requests answered with 500, to try alerts; not in production.",
    )
    delay_seconds: float = Field(
        default=0, ge=0, le=30, description="Delay of each request, to try alerts; not in production."
    )


class WebService(_Keys):
    """A service that answers HTTP; one key a service."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,128}$"), _limits(_RELEASE)] = Field(
        default="dev", description="Release that the service shows as its own."
    )
    image: PinnedImage | None = Field(
        default=None, description="Image to run instead of building one; `make rollback` sets it."
    )
    replicas: int = Field(default=3, ge=1, le=100, description="Pods; with `autoscaling`, the fewest of them.")
    autoscaling: Autoscaling | None = None
    port: UnprivilegedPort = Field(default=8080, description="Port of the container.")
    metrics_port: UnprivilegedPort = Field(
        default=9102, description="Port of the container for metrics; another than `port`."
    )
    service_port: Port = Field(default=80, description="Port of the Service.")
    service_type: ServiceType = Field(default="ClusterIP", description="How the Service is reached.")
    source_ranges: Networks = Field(default=network.ANYWHERE, description="Networks that may reach the Service.")
    timeout_seconds: int = Field(
        default=120, ge=10, le=3600, description="Time in which the pods must be ready, else the update has failed."
    )
    resources: Resources = Resources()
    objective: Objective = Objective()
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level logged."
    )
    config: dict[EnvName, str] = Field(default={}, description="Further environment variables; not for secrets.")
    faults: Faults | None = None

    @field_validator("autoscaling")
    @classmethod
    def _above_replicas(cls, value: Autoscaling | None, info: ValidationInfo) -> Autoscaling | None:
        replicas = info.data.get("replicas")
        if value and replicas and value.max_replicas <= replicas:
            raise ValueError(
                f"must have maxReplicas above replicas ({replicas}), found {value.max_replicas}; "
                "for a fixed number of pods leave autoscaling out"
            )
        return value

    @field_validator("metrics_port")
    @classmethod
    def _another_port(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("port"):
            raise ValueError(f"must not be port, found {value} for both")
        return value

    @field_validator("config")
    @classmethod
    def _not_reserved(cls, value: dict[str, str]) -> dict[str, str]:
        checks.environment(value, web_service.RESERVED)
        return value


class Tracing(_Keys):
    """`tracing`: where the services send the spans of their requests."""

    endpoint: Annotated[str, AfterValidator(tracing.collector), _limits(tracing.COLLECTOR)] | None = Field(
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


class _Monitoring(_Keys):
    runbooks: str = Field(
        default="docs/runbooks.md",
        min_length=1,
        description="Where the runbooks are, a path or URL; alerts link to a section of it.",
    )
    # Before the divisor, which is held against it.
    scrape_interval_seconds: ScrapeInterval
    window_divisor: Annotated[int, _limits(objective.DIVISOR)] = Field(
        default=1, description="What the windows of all objectives are divided by, for a drill."
    )

    @field_validator("window_divisor")
    @classmethod
    def _long_enough(cls, value: int, info: ValidationInfo) -> int:
        interval = info.data.get("scrape_interval_seconds")
        return value if interval is None else objective.check_divisor(value, interval=interval)


class KubeStateMetrics(_Keys):
    """`kubeStateMetrics`: where kube-state-metrics runs in the cluster."""

    namespace: DnsLabel = Field(default="monitoring", description="Namespace of kube-state-metrics.")
    service: DnsLabel = Field(default="kube-state-metrics", description="Name of its Service.")
    port: Port = Field(default=8080, description="Port of its Service and of its pods.")


class PrometheusServer(_Monitoring):
    """`monitoring` of kind `prometheus`: a server of the stack's own, and an Alertmanager."""

    kind: Literal["prometheus"]
    image: ImageReference = Field(description="Image of Prometheus.")
    alertmanager_image: ImageReference = Field(description="Image of Alertmanager.")
    retention: Annotated[str, Field(pattern=r"^[1-9][0-9]*[smhdwy]$"), _limits(_DURATION)] = Field(
        default="1d", description="How long samples are kept."
    )
    scrape_interval_seconds: ScrapeInterval = Field(default=5, description="Time between two scrapes.")
    service_type: ServiceType = Field(default="ClusterIP", description="How the two servers are reached.")
    source_ranges: Networks = Field(default=network.ANYWHERE, description="Networks that may reach them.")
    api_server: Networks = Field(description="Networks of the API server, which the server asks what there is.")
    kube_state_metrics: KubeStateMetrics | None = None
    kubelets: Networks | None = Field(
        default=None, description="Networks of the nodes, whose kubelets tell what pods take; default: not scraped."
    )
    webhook_networks: Networks = Field(
        default=network.ANYWHERE, description=f"Networks that `{WEBHOOK}` is at, which Alertmanager may reach."
    )

    def sources(self) -> signals.Sources:
        """Return where the cluster's own signals are, as components take it."""
        where = self.kube_state_metrics
        return signals.Sources(
            kube_state_metrics=signals.KubeStateMetrics(**where.model_dump()) if where else None,
            kubelets=self.kubelets or (),
        )


class PrometheusOperator(_Monitoring):
    """`monitoring` of kind `operator`: objects for a Prometheus Operator in the cluster."""

    kind: Literal["operator"]
    labels: Annotated[dict[str, str], AfterValidator(checks.labels), _limits("an object of Kubernetes labels")] = Field(
        default={}, description="Labels that the cluster's Prometheus and Alertmanager select objects by."
    )
    namespace: DnsLabel = Field(default="monitoring", description="Namespace of that Prometheus, which may scrape.")
    scrape_interval_seconds: ScrapeInterval = Field(default=15, description="Time between two scrapes.")
    signals: tuple[Signal, ...] = Field(
        default=(), description="What that Prometheus scrapes beside services; rules and panels that need it follow."
    )


class Quota(_Keys):
    """`quota`: the most that the namespace's pods may ask for together."""

    pods: int = Field(default=50, ge=1, le=10000, description="Pods of the namespace, at most.")
    cpu: Quantity = Field(default="4", description="CPU that they may ask for together.")
    memory: Quantity = Field(default="8Gi", description="Memory that they may ask for together.")
    ephemeral_storage: Quantity = Field(default="8Gi", description="Disk that they may ask for together.")

    def of_namespace(self) -> quota.Quota:
        """Return it as components take it."""
        return quota.Quota(**self.model_dump())


class Settings(_Keys):
    """All keys of a stack."""

    environment: DnsLabel = Field(description="Name of the environment, which people see in labels and pages.")
    owner: DnsLabel = Field(description="Team to ask about the stack, which people see in labels.")
    cluster: Cluster
    registry: Registry
    registry_password: Annotated[
        SecretStr,
        Field(default="", description="Password for `registry.username`; a secret."),
        _limits("a secret string"),
    ]
    image_lock: Annotated[str, AfterValidator(_lock), _limits(LOCK)] = Field(
        default="", description="File with the digests of images that are given by tag here; default: none."
    )
    allow_mutable_tags: bool = Field(
        default=False, description="Take images by tags without a digest; for stacks that nothing depends on."
    )
    build: Build
    webapp: WebService
    webapp_secrets: dict[SecretName, Annotated[SecretStr, _limits("a secret string")]] = Field(
        default={}, description="What the pods find as files in /run/secrets/app, by name; all secrets."
    )
    alert_webhook_url: Annotated[
        SecretStr,
        Field(default="", description="Where alerts are sent, by POST; default: nowhere; a secret."),
        AfterValidator(_webhook),
        _limits("a secret http or https URL"),
    ]
    monitoring: PrometheusServer | PrometheusOperator = Field(
        discriminator="kind",
        description="Who scrapes: a server of the stack's own, or the cluster's Prometheus Operator.",
    )

    tracing: Tracing = Tracing()
    quota: Quota = Quota()

    @field_validator("quota")
    @classmethod
    def _has_room(cls, value: Quota, info: ValidationInfo) -> Quota:
        if "webapp" in info.data and "monitoring" in info.data:
            value.of_namespace().check(_demands(info.data["webapp"], info.data["monitoring"]))
        return value

    @property
    def demands(self) -> Sequence[Demand]:
        """What each workload asks the namespace's quota for, at most."""
        return _demands(self.webapp, self.monitoring)

    @field_validator("registry_password")
    @classmethod
    def _belongs_to_username(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        registry = info.data.get("registry")
        if registry and registry.username and not value.get_secret_value():
            raise ValueError("must be set, because registry.username is; or remove that")
        if registry and not registry.username and value.get_secret_value():
            raise ValueError("must not be set, because registry.username is not; or set that")
        return value


def _demands(webapp: WebService, monitoring: PrometheusServer | PrometheusOperator) -> Sequence[Demand]:
    most = webapp.autoscaling.max_replicas if webapp.autoscaling else webapp.replicas
    found = [web_service.demand("webapp", most, webapp.resources.of_pod())]
    if isinstance(monitoring, PrometheusServer):
        found += [prometheus.demand("prometheus"), alertmanager.demand("alertmanager")]
    return found


def load() -> Settings:
    """Return the settings of the stack that runs.

    Raises:
        SettingsError: with every wrong key of the project's namespace; other namespaces are not looked at.
    """
    prefix = f"{pulumi.get_project()}:"
    raw = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    return parse(raw, secrets={key for key in raw if is_config_secret(prefix + key)}, prefix=prefix)


def parse(raw: Mapping[str, str], *, secrets: Collection[str], prefix: str = "") -> Settings:
    """Return the settings that `raw` holds: texts as such, everything else as JSON, which is how the engine sends it.

    Args:
        raw: Values by key.
        secrets: Keys whose value is encrypted in the stack's file, wholly or in part.
        prefix: What error messages put before each key.

    Raises:
        SettingsError: with every wrong key.
    """
    settings = None
    problems = list(_misplaced_secrets(raw, secrets))
    values = {key: _decoded(key, text) for key, text in raw.items()}
    try:
        # From JSON rather than from Python values, as only then may an array become a tuple although types are strict.
        settings = Settings.model_validate_json(json.dumps(values), context=_pins(values))
    except ValidationError as error:
        problems += config_schema.problems(_schema(), error.errors(include_url=False), hidden={*SECRETS, *secrets})
    if settings and not problems:
        return settings
    first = problems[0].path
    secret = "--secret " if first.partition(".")[0] in SECRETS else ""
    places = "1 place" if len(problems) == 1 else f"{len(problems)} places"
    raise SettingsError(
        "\n".join(
            [
                f"the configuration is wrong in {places}; nothing was touched:",
                *(f"  {prefix}{problem.path} {problem.text}" for problem in problems),
                f"Set a value with `pulumi config set {secret}--path '{prefix}{first}' VALUE`,",
                "take a key out with `pulumi config rm --path KEY`, or edit the stack's Pulumi.<stack>.yaml;",
                "README.md lists all keys.",
            ]
        )
    )


def _decoded(key: str, text: str) -> Any:
    fields = {field.alias: field for field in Settings.model_fields.values()}
    if key not in fields or fields[key].annotation in (str, SecretStr):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _misplaced_secrets(raw: Mapping[str, str], secrets: Collection[str]) -> Iterator[Problem]:
    for key in SECRETS:
        if raw.get(key) not in (None, "", "{}") and key not in secrets:
            yield Problem(key, "must be encrypted, found plain text")
    for key in sorted(set(secrets) - set(SECRETS)):
        yield Problem(key, f"must not hold a secret, which it would not keep; only {', '.join(SECRETS)} do")


def _pins(values: Mapping[str, Any]) -> Pins:
    """Return what the two keys about images say; one that is wrong is reported by itself, and holds up nothing else."""
    try:
        digests = read_lock(values["imageLock"]) if values.get("imageLock") else {}
    except (TypeError, ValueError):
        return Pins(tags_will_do=True)
    return Pins(digests=digests, tags_will_do=values.get("allowMutableTags", False) is not False)


@cache
def _schema() -> Mapping[str, Any]:
    return Settings.model_json_schema()
