"""A service that answers HTTP: pods from one image, an address to reach them at, and a port with their metrics.

The contract with what runs in the image, which `app/chassis` keeps for all services built on it: it reads PORT,
METRICS_PORT, ENVIRONMENT, LOG_LEVEL, POD_NAME, DRAIN_SECONDS and GRACEFUL_TIMEOUT_SECONDS (SERVICE is the image's own);
it serves /healthz and /readyz on PORT and /metrics on METRICS_PORT; on SIGTERM it fails /readyz, serves on for
DRAIN_SECONDS, then finishes what is in flight; it writes to nothing but /tmp; it finds its secrets as files in
/run/secrets/app. Where it is to make faults, it also reads FAULT_ERROR_PERCENT and FAULT_DELAY_SECONDS; where it is to
export spans, OTEL_EXPORTER_OTLP_ENDPOINT; for each service that it calls, such as `catalog`, CATALOG_URL,
CATALOG_TIMEOUT_SECONDS and CATALOG_RETRIES. The owner of a database finds in a folder of files how to connect to it,
see `connection`.

Nobody is talked to but the cluster's DNS and those whom the arguments name, and nobody else may talk to it. It does not
scrape.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.core.v1 import (
    ConfigMapEnvSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvFromSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    ObjectFieldSelectorArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Secret,
    SecretVolumeSourceArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    SleepActionArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components import availability, checks, faults, network, probes, security, tracing
from components.account import account
from components.availability import Autoscaling, Shutdown
from components.connection import Connection
from components.content import config_map
from components.exported_metrics import ExportedMetrics
from components.exposure import ServiceType, await_annotations, load_balancer_source_ranges, url
from components.faults import Faults
from components.labels import Labels
from components.monitored_service import MonitoredService
from components.network import Flow, Peer
from components.objective import Objective
from components.ownership import owned
from components.quota import Demand
from components.resources import Resources
from components.scrape_config import ScrapeTarget
from components.service import Edge
from components.tracing import Tracing

USER = 65532
"""User and group that the pods run as; the number that distroless images call `nonroot`."""

SECRETS = "/run/secrets/app"
"""Folder in which a pod finds each of its secrets as a file."""

RESERVED = frozenset(
    {
        "DRAIN_SECONDS",
        "ENVIRONMENT",
        faults.DELAY_SECONDS,
        faults.ERROR_PERCENT,
        "GRACEFUL_TIMEOUT_SECONDS",
        "LOG_LEVEL",
        "METRICS_PORT",
        tracing.ENDPOINT,
        "POD_NAME",
        "PORT",
        "SERVICE",
    }
)
"""Variables that the component sets, some where it is told to, or the image, and `config` therefore must not."""


@dataclass(frozen=True, kw_only=True)
class WebServiceArgs:
    """What to run, how much of it, and how it is reached."""

    namespace: pulumi.Input[str]
    namespace_name: str
    """The same, known from the start: queries name it."""

    labels: Labels
    image: pulumi.Input[str]
    """Image by digest."""

    replicas: int
    """Pods; with `autoscaling`, the fewest of them."""

    autoscaling: Autoscaling | None = None
    """Default: the number of pods is fixed."""

    port: int
    """Port that the container serves HTTP on; at least 1024, as the process is not root."""

    metrics_port: int
    """Port that the container serves metrics on; at least 1024, and another than `port`."""

    service_port: int
    """Port that the Service has for `port`."""

    service_type: ServiceType
    source_ranges: Sequence[str] | None = None
    """Networks that may reach the Service, in CIDR notation. Default: all, where it is published, and else none."""

    calls: Mapping[Edge, int] = field(default_factory=dict)
    """The services that it calls, each with the port of its Kubernetes Service. Default: none."""

    called_by: Sequence[str] = ()
    """Names of the services that call it. Default: none."""

    gateway: Peer | None = None
    """The gateway's pods, where it leads to the service. Default: it does not."""

    database: Connection | None = None
    """Default: the service has none."""

    after: Sequence[pulumi.Resource] = ()
    """What has to be there before the pods start, such as the database's migration. Default: nothing."""

    scraped_by: Peer
    """Who reads the metrics."""

    exported: ExportedMetrics
    """What there is to read."""

    objective: Objective = field(default_factory=Objective)
    """What the service promises; rules, alerts and dashboard follow from it."""

    timeout_seconds: int
    """How long the pods may take to become ready before the update counts as failed."""

    resources: Resources
    log_level: str
    config: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables, not secret."""

    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What the pods find as files in `SECRETS`, by name. Pass secret Outputs, so that the state encrypts them."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    max_unavailable: int = 1
    """Pods that a node's drain may take away at a time; fewer than there are at least."""

    shutdown: Shutdown = field(default_factory=Shutdown)
    faults: Faults | None = None
    """What is to go wrong, to try alerts. Default: nothing."""

    tracing: Tracing | None = None
    """Where spans are sent to. Default: nowhere."""

    def __post_init__(self) -> None:
        """Refuse what the API server, the kubelet or the app would refuse later."""
        if self.replicas < 1:
            raise ValueError(f"replicas must be at least 1, found {self.replicas}; to run nothing, declare nothing")
        if self.autoscaling and self.autoscaling.max_replicas <= self.replicas:
            raise ValueError(
                f"autoscaling.max_replicas must be above replicas, which are the fewest and {self.replicas}, found "
                f"{self.autoscaling.max_replicas}; for a fixed number leave autoscaling out"
            )
        if self.replicas > 1 and not 1 <= self.max_unavailable < self.replicas:
            raise ValueError(
                f"max_unavailable must be from 1 to {self.replicas - 1}, one fewer than replicas, found "
                f"{self.max_unavailable}: a drain would take all pods at once, or never end"
            )
        for name in ("port", "metrics_port"):
            if not 1024 <= getattr(self, name) <= 65535:
                raise ValueError(
                    f"{name} must be from 1024 to 65535, found {getattr(self, name)}: the process is not root and "
                    "cannot open a privileged port; service_port may be one"
                )
        if self.metrics_port == self.port:
            raise ValueError(f"metrics_port must not be port, found {self.port} for both; give metrics their own")
        checks.field("source_ranges", checks.networks, self.reachable_from)
        reserved = {name for edge in self.calls for name in edge.variables(80)} | RESERVED
        checks.field("config", partial(checks.environment, reserved=reserved), self.config)
        for secret in self.secrets:
            checks.field("secrets", checks.secret_name, secret)
        self.objective.check(self.exported)

    @property
    def reachable_from(self) -> Sequence[str]:
        """Networks that may reach the Service."""
        if self.source_ranges is None:
            return () if self.service_type == "ClusterIP" else network.ANYWHERE
        return self.source_ranges


def demand(name: str, most: int, resources: Resources) -> Demand:
    """Return what the service `name` asks for with the `most` pods it may have: in a rollout, all are there twice."""
    return Demand(name=name, pods=2 * most, resources=resources)


class WebService(pulumi.ComponentResource):
    """The pods and what they are given, two Services, and what guards them: budget, autoscaler, network policy."""

    url: pulumi.Output[str]
    """See `exposure.url`."""

    monitored: MonitoredService

    def __init__(self, name: str, args: WebServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the service `name`; the objects have that name too."""
        super().__init__("cloudnative:index:WebService", checks.component_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Services are not ready before their pods are, pods not before their image is pulled: one limit for all.
        limit = pulumi.CustomTimeouts(create=f"{args.timeout_seconds}s", update=f"{args.timeout_seconds}s")
        awaited = pulumi.ResourceOptions(parent=self, custom_timeouts=limit)
        labels = args.labels.of(name, "web")
        selector = args.labels.selector(name)

        metadata = owned(name=name, namespace=args.namespace, labels=labels)
        runs_as = account(name, metadata, args.pull_secrets, child)
        variables = _environment(args)
        config = config_map(f"{name}-config", variables, namespace=args.namespace, labels=labels, opts=child)
        secrets = _secrets(name, args, labels, child)
        pod = _pod(name, args, selector, runs_as.metadata.name, config.metadata.name, secrets)
        Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec=_rollout(args, selector, PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod)),
            opts=pulumi.ResourceOptions.merge(awaited, pulumi.ResourceOptions(depends_on=[*args.after])),
        )
        service = Service(
            f"{name}-service",
            metadata=owned(
                name=name,
                namespace=args.namespace,
                labels=labels,
                annotations=await_annotations(args.service_type),
            ),
            spec=ServiceSpecArgs(
                type=args.service_type,
                selector=selector,
                load_balancer_source_ranges=load_balancer_source_ranges(args.service_type, args.reachable_from),
                ports=[ServicePortArgs(name="http", port=args.service_port, target_port="http")],
            ),
            opts=awaited,
        )
        self.url = url(service, args.service_type, args.service_port)
        target = _expose_metrics(name, args, selector, child)
        self.monitored = MonitoredService(
            target=target,
            objective=args.objective,
            exported=args.exported,
            calls=[edge.callee for edge in args.calls],
        )

        spec = network.spec(selector, ingress=list(_ingress(args)), egress=list(_egress(args)))
        NetworkPolicy(f"{name}-network", metadata=metadata, spec=spec, opts=child)
        # For a single pod a budget would either forbid every drain or forbid nothing.
        if args.replicas > 1:
            budget = availability.budget(selector, args.max_unavailable)
            PodDisruptionBudget(f"{name}-budget", metadata=metadata, spec=budget, opts=child)
        if args.autoscaling:
            scaling = availability.autoscaler(name, args.replicas, args.autoscaling)
            HorizontalPodAutoscaler(f"{name}-autoscaler", metadata=metadata, spec=scaling, opts=child)

        self.register_outputs({"url": self.url})


def _ingress(args: WebServiceArgs) -> Iterator[Flow]:
    """Yield who may talk to the pods."""
    if args.reachable_from:
        yield Flow(peer=Peer(addresses=args.reachable_from), ports=["http"])
    if args.gateway:
        yield Flow(peer=args.gateway, ports=["http"])
    for caller in args.called_by:
        yield Flow(peer=Peer(pods=args.labels.selector(caller)), ports=["http"])
    yield Flow(peer=args.scraped_by, ports=["metrics"])


def _egress(args: WebServiceArgs) -> Iterator[Flow]:
    """Yield whom the pods may talk to, beside the cluster's DNS."""
    for edge in args.calls:
        yield Flow(peer=Peer(pods=args.labels.selector(edge.callee)), ports=["http"])
    if args.database:
        yield args.database.flow
    if args.tracing:
        yield args.tracing.flow()


def _secrets(
    name: str, args: WebServiceArgs, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> pulumi.Output[str] | None:
    """Make the Secret, where there is something to keep in it, and return its name."""
    if not args.secrets:
        return None
    secret = Secret(
        f"{name}-secrets",
        # No name of its own: changed content then makes a new object with a new name, which rolls the pods.
        metadata=owned(namespace=args.namespace, labels=labels),
        string_data=args.secrets,
        opts=opts,
    )
    return secret.metadata.name


def _expose_metrics(
    name: str, args: WebServiceArgs, pods: Mapping[str, str], opts: pulumi.ResourceOptions
) -> ScrapeTarget:
    """Make the Service for the metrics port, and return what there is to scrape.

    Metrics are for those inside the cluster: on the service's own Service, a load balancer would publish them.
    """
    ports = [ServicePortArgs(name="metrics", port=args.metrics_port, target_port="metrics")]
    target = ScrapeTarget(
        name=name,
        namespace=args.namespace_name,
        service=f"{name}-metrics",
        selector=args.labels.of(name, "metrics"),
        pods=pods,
        ports=[str(port.name) for port in ports],
        port="metrics",
    )
    Service(
        f"{name}-metrics",
        metadata=owned(
            name=target.service,
            namespace=args.namespace,
            labels=target.selector,
            annotations=await_annotations("ClusterIP"),
        ),
        spec=ServiceSpecArgs(type="ClusterIP", cluster_ip="None", selector=pods, ports=ports),
        opts=opts,
    )
    return target


def _environment(args: WebServiceArgs) -> dict[str, str]:
    """Return the variables that are the same for all pods."""
    return {
        **args.config,
        **(args.faults.variables() if args.faults else {}),
        **(args.tracing.variables() if args.tracing else {}),
        **{name: value for edge, port in args.calls.items() for name, value in edge.variables(port).items()},
        "DRAIN_SECONDS": str(args.shutdown.drain_seconds),
        "ENVIRONMENT": args.labels.environment,
        "GRACEFUL_TIMEOUT_SECONDS": str(args.shutdown.in_flight_seconds),
        "LOG_LEVEL": args.log_level,
        "METRICS_PORT": str(args.metrics_port),
        "PORT": str(args.port),
    }


def _rollout(args: WebServiceArgs, selector: Mapping[str, str], template: PodTemplateSpecArgs) -> DeploymentSpecArgs:
    """Return how many pods there are, and how new ones take over from old ones."""
    return DeploymentSpecArgs(
        # Beside an autoscaler a number here would undo what it did, at every update.
        replicas=None if args.autoscaling else args.replicas,
        progress_deadline_seconds=args.timeout_seconds,
        revision_history_limit=10,
        selector=LabelSelectorArgs(match_labels=selector),
        strategy=DeploymentStrategyArgs(
            type="RollingUpdate",
            # Never fewer than asked for. All new pods at once: a rollout then takes as long as one pod does to start,
            # for twice the requests while it lasts. Where the nodes have no room for that, what does not fit waits
            # until the first old pods have gone.
            rolling_update=RollingUpdateDeploymentArgs(max_unavailable=0, max_surge="100%"),
        ),
        template=template,
    )


def _pod(  # noqa: PLR0913, PLR0917 - what the component made before
    name: str,
    args: WebServiceArgs,
    selector: Mapping[str, str],
    account: pulumi.Input[str],
    config: pulumi.Input[str],
    secrets: pulumi.Input[str] | None,
) -> PodSpecArgs:
    """Return the pod: one hardened container, its secrets, and a place for its temporary files."""
    # In memory, as what the workers count goes through memory-mapped files there at each request.
    volumes = [VolumeArgs(name="tmp", empty_dir=EmptyDirVolumeSourceArgs(medium="Memory", size_limit="64Mi"))]
    mounts = [VolumeMountArgs(name="tmp", mount_path="/tmp")]  # noqa: S108 - the pod's own
    if secrets:
        readable = SecretVolumeSourceArgs(secret_name=secrets, default_mode=0o440)
        volumes.append(VolumeArgs(name="secrets", secret=readable))
        mounts.append(VolumeMountArgs(name="secrets", mount_path=SECRETS, read_only=True))
    if args.database:
        volumes.append(args.database.volume())
        mounts.append(args.database.mount())
    return PodSpecArgs(
        service_account_name=account,
        automount_service_account_token=False,
        # A variable for each Service of the namespace would be an undeclared input of the app.
        enable_service_links=False,
        termination_grace_period_seconds=args.shutdown.grace_seconds,
        security_context=security.of_pod(USER),
        topology_spread_constraints=availability.spread(selector),
        containers=[_container(name, args, config, mounts)],
        volumes=volumes,
    )


def _container(
    name: str, args: WebServiceArgs, config: pulumi.Input[str], mounts: Sequence[VolumeMountArgs]
) -> ContainerArgs:
    """Return the container: two ports, three probes, and no right to anything."""
    ports = {"http": args.port, "metrics": args.metrics_port}
    return ContainerArgs(
        name=name,
        image=args.image,
        # A digest never changes its content, so what a node has it need not ask for again.
        image_pull_policy="IfNotPresent",
        ports=[ContainerPortArgs(name=port, container_port=number) for port, number in ports.items()],
        env=[
            EnvVarArgs(
                name="POD_NAME",
                value_from=EnvVarSourceArgs(field_ref=ObjectFieldSelectorArgs(field_path="metadata.name")),
            )
        ],
        env_from=[EnvFromSourceArgs(config_map_ref=ConfigMapEnvSourceArgs(name=config))],
        resources=args.resources.requirements(),
        security_context=security.of_container(),
        # Until it has started: asked every second, so that a rollout does not wait for the next question, and not
        # restarted before a minute, so that a slow node is given its time.
        startup_probe=probes.http("/healthz", port="http", of=ports, period_seconds=1, failure_threshold=60),
        # Then: out of the Service after 6 s of saying no, restarted after 30 s of not answering at all.
        readiness_probe=probes.http("/readyz", port="http", of=ports, period_seconds=2, failure_threshold=3),
        liveness_probe=probes.http("/healthz", port="http", of=ports, period_seconds=10, failure_threshold=3),
        lifecycle=LifecycleArgs(
            pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=args.shutdown.pre_stop_seconds))
        ),
        # What a container that fails said last then stands in its status, and so in the error of `pulumi up`.
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=mounts,
    )
