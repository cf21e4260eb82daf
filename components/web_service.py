"""A service that answers HTTP: pods from one image, an address to reach them at, and a port with their metrics.

The contract with what runs in the image, which `app/webapp` keeps: it reads PORT, METRICS_PORT, ENVIRONMENT, LOG_LEVEL,
POD_NAME, DRAIN_SECONDS and GRACEFUL_TIMEOUT_SECONDS; it serves /healthz and /readyz on PORT and /metrics on
METRICS_PORT; on SIGTERM it fails /readyz, serves on for DRAIN_SECONDS, then finishes what is in flight; it writes to
nothing but /tmp.

It does not scale, does not restrict the network, and does not scrape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapEnvSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvFromSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    LocalObjectReferenceArgs,
    ObjectFieldSelectorArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
    SleepActionArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from components import checks, probes, security
from components.exposure import ServiceType, await_annotations, url
from components.labels import Labels
from components.resources import Resources
from components.scrape_config import ScrapeTarget

USER = 65532
"""User and group that the pods run as; the number that distroless images call `nonroot`."""

PRE_STOP_SECONDS = 5
"""How long a pod that is to end goes on as if nothing had happened: until no node sends it requests any more."""

DRAIN_SECONDS = 5
"""How long the app, told to end, still accepts requests: until clients and balancers outside have seen /readyz fail."""

IN_FLIGHT_SECONDS = 20
"""How long requests may then take to finish."""

GRACE_SECONDS = PRE_STOP_SECONDS + DRAIN_SECONDS + IN_FLIGHT_SECONDS + 5
"""When the kubelet kills what is still there. Longer than all of the above, so that it has nothing left to kill."""

RESERVED = frozenset(
    {
        "DRAIN_SECONDS",
        "ENVIRONMENT",
        "GRACEFUL_TIMEOUT_SECONDS",
        "LOG_LEVEL",
        "METRICS_PORT",
        "POD_NAME",
        "PORT",
    }
)
"""Variables that the component sets, and `config` therefore must not."""


@dataclass(frozen=True, kw_only=True)
class WebServiceArgs:
    """What to run, how much of it, and how it is reached."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: pulumi.Input[str]
    """Image by digest."""

    environment: str
    """What the app shows as its environment."""

    replicas: int
    port: int
    """Port that the container serves HTTP on; at least 1024, as the process is not root."""

    metrics_port: int
    """Port that the container serves metrics on; at least 1024, and another than `port`."""

    service_port: int
    """Port that the Service has for `port`."""

    service_type: ServiceType
    timeout_seconds: int
    """How long the pods may take to become ready before the update counts as failed."""

    resources: Resources
    log_level: str
    config: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables, not secret."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse what the API server, the kubelet or the app would refuse later."""
        if self.replicas < 1:
            raise ValueError(f"replicas must be at least 1, found {self.replicas}; to run nothing, declare nothing")
        for name in ("port", "metrics_port"):
            if not 1024 <= getattr(self, name) <= 65535:
                raise ValueError(
                    f"{name} must be from 1024 to 65535, found {getattr(self, name)}: the process is not root and "
                    "cannot open a privileged port; service_port may be one"
                )
        if self.metrics_port == self.port:
            raise ValueError(f"metrics_port must not be port, found {self.port} for both; give metrics their own")
        checks.field("config", partial(checks.environment, reserved=RESERVED), self.config)


class WebService(pulumi.ComponentResource):
    """ServiceAccount, ConfigMap, Deployment, Service, and a second Service for the metrics port."""

    url: pulumi.Output[str]
    """See `exposure.url`."""

    scrape_target: ScrapeTarget

    def __init__(self, name: str, args: WebServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the service `name`; the objects have that name too."""
        super().__init__("cloudnative:index:WebService", checks.dns_label(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Services are not ready before their pods are, pods not before their image is pulled: one limit for all.
        limit = pulumi.CustomTimeouts(create=f"{args.timeout_seconds}s", update=f"{args.timeout_seconds}s")
        awaited = pulumi.ResourceOptions(parent=self, custom_timeouts=limit)
        labels = args.labels.of(name, "web")
        selector = args.labels.selector(name)

        account = ServiceAccount(
            f"{name}-account",
            metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels),
            # The service does not talk to the API server, so no pod gets a token for it.
            automount_service_account_token=False,
            image_pull_secrets=[LocalObjectReferenceArgs(name=secret) for secret in args.pull_secrets] or None,
            opts=child,
        )
        config = ConfigMap(
            f"{name}-config",
            # No name of its own: changed content then makes a new object with a new name, which rolls the pods, and the
            # old pods keep what they were started with.
            metadata=ObjectMetaArgs(namespace=args.namespace, labels=labels),
            data=_environment(args),
            opts=child,
        )
        pod = _pod(name, args, account.metadata.name, config.metadata.name)
        Deployment(
            f"{name}-deployment",
            metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels),
            spec=_rollout(args, selector, PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod)),
            opts=awaited,
        )
        service = Service(
            f"{name}-service",
            metadata=ObjectMetaArgs(
                name=name,
                namespace=args.namespace,
                labels=labels,
                annotations=await_annotations(args.service_type),
            ),
            spec=ServiceSpecArgs(
                type=args.service_type,
                selector=selector,
                ports=[ServicePortArgs(name="http", port=args.service_port, target_port="http")],
            ),
            opts=awaited,
        )
        self.url = url(service, args.service_type, args.service_port)

        self.scrape_target = ScrapeTarget(
            name=name, service=f"{name}-metrics", selector=args.labels.of(name, "metrics"), port="metrics"
        )
        # Metrics are for those inside the cluster: on the Service above, a load balancer would publish them.
        Service(
            f"{name}-metrics",
            metadata=ObjectMetaArgs(
                name=self.scrape_target.service,
                namespace=args.namespace,
                labels=self.scrape_target.selector,
                annotations=await_annotations("ClusterIP"),
            ),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                cluster_ip="None",
                selector=selector,
                ports=[ServicePortArgs(name=self.scrape_target.port, port=args.metrics_port, target_port="metrics")],
            ),
            opts=child,
        )

        self.register_outputs({"url": self.url})


def _environment(args: WebServiceArgs) -> dict[str, str]:
    """Return the variables that are the same for all pods."""
    return {
        **args.config,
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "ENVIRONMENT": args.environment,
        "GRACEFUL_TIMEOUT_SECONDS": str(IN_FLIGHT_SECONDS),
        "LOG_LEVEL": args.log_level,
        "METRICS_PORT": str(args.metrics_port),
        "PORT": str(args.port),
    }


def _rollout(args: WebServiceArgs, selector: Mapping[str, str], template: PodTemplateSpecArgs) -> DeploymentSpecArgs:
    """Return how many pods there are, and how new ones take over from old ones."""
    return DeploymentSpecArgs(
        replicas=args.replicas,
        progress_deadline_seconds=args.timeout_seconds,
        revision_history_limit=3,
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


def _pod(name: str, args: WebServiceArgs, account: pulumi.Input[str], config: pulumi.Input[str]) -> PodSpecArgs:
    """Return the pod: one hardened container, and a place for its temporary files."""
    return PodSpecArgs(
        service_account_name=account,
        automount_service_account_token=False,
        # A variable for each Service of the namespace would be an undeclared input of the app.
        enable_service_links=False,
        termination_grace_period_seconds=GRACE_SECONDS,
        security_context=security.of_pod(USER),
        containers=[
            ContainerArgs(
                name=name,
                image=args.image,
                ports=[
                    ContainerPortArgs(name="http", container_port=args.port),
                    ContainerPortArgs(name="metrics", container_port=args.metrics_port),
                ],
                env=[
                    EnvVarArgs(
                        name="POD_NAME",
                        value_from=EnvVarSourceArgs(field_ref=ObjectFieldSelectorArgs(field_path="metadata.name")),
                    )
                ],
                env_from=[EnvFromSourceArgs(config_map_ref=ConfigMapEnvSourceArgs(name=config))],
                resources=args.resources.requirements(),
                security_context=security.of_container(),
                # Until it has started: asked every second, so that a rollout does not wait for the next question, and
                # not restarted before a minute, so that a slow node is given its time.
                startup_probe=probes.http("/healthz", period_seconds=1, failure_threshold=60),
                # Then: out of the Service after 6 s of saying no, restarted after 30 s of not answering at all.
                readiness_probe=probes.http("/readyz", period_seconds=2, failure_threshold=3),
                liveness_probe=probes.http("/healthz", period_seconds=10, failure_threshold=3),
                lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=PRE_STOP_SECONDS))),
                # What a container that fails said last then stands in its status, and so in the error of `pulumi up`.
                termination_message_policy="FallbackToLogsOnError",
                volume_mounts=[VolumeMountArgs(name="tmp", mount_path="/tmp")],  # noqa: S108 - the pod's own
            )
        ],
        # In memory, as what the workers count goes through memory-mapped files there at each request.
        volumes=[VolumeArgs(name="tmp", empty_dir=EmptyDirVolumeSourceArgs(medium="Memory", size_limit="64Mi"))],
    )
