"""A Prometheus server of the stack's own, which scrapes the services that the program declares and nothing else.

For development: one replica, and its data goes with its pod. It sends no alerts, and a changed configuration makes a
new pod instead of a reload. Where the Prometheus Operator runs, `monitoring.Monitoring` takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    LocalObjectReferenceArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs
from pulumi_kubernetes.rbac.v1 import (
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from components import checks, network, probes, security
from components.content import named_after
from components.exposure import ServiceType, await_annotations, load_balancer_source_ranges, url
from components.labels import Labels
from components.network import Flow, Peer
from components.ownership import owned
from components.quota import Demand
from components.resources import Resources
from components.scrape_config import ScrapeTarget, scrape_config

USER = 65534
"""User and group that the pod runs as: `nobody`, whom Prometheus' images run as."""

PORT = 9090
"""Prometheus' own default, in the pod and on the Service."""

TIMEOUT_SECONDS = 120
"""How long the server may take to become ready before the update counts as failed."""

RESOURCES = Resources(
    cpu_request="50m",
    cpu_limit="1",
    memory_request="96Mi",
    memory_limit="512Mi",
    ephemeral_storage_request="256Mi",
    ephemeral_storage_limit="1280Mi",
)
"""Enough for some ten thousand series, which is far more than a development stack has."""

API_SERVER_PORTS = (443, 6443)
"""Of the Service `kubernetes` and, as kubeadm has it, of what is behind it: policies may be held against either."""


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """Which server, and what it scrapes."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: str
    """Image with a digest or a tag other than `latest`, whose entry point is Prometheus."""

    targets: Sequence[ScrapeTarget]
    scrape_interval_seconds: int
    retention: str
    """How long samples are kept, in Prometheus' notation, such as `12h` or `1d`. 800 MB of them are kept at most."""

    service_type: ServiceType
    source_ranges: Sequence[str] = network.ANYWHERE
    """Networks that may reach the server, in CIDR notation. Default: all."""

    api_server: Sequence[str]
    """Networks of the API server, in CIDR notation, which the server asks for the pods to scrape."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse an image that names no one version, and a server with nothing to do."""
        checks.field("image", checks.image, self.image)
        checks.field("source_ranges", checks.networks, self.source_ranges)
        checks.field("api_server", checks.networks, self.api_server)
        if not self.targets:
            raise ValueError("targets must name at least one service, found none; a Prometheus without is of no use")
        if not self.api_server:
            raise ValueError("api_server must name at least one network, found none; nothing would be found to scrape")


def demand(name: str) -> Demand:
    """Return what the server `name` asks for at most; it is replaced, never doubled."""
    return Demand(name=name, pods=1, resources=RESOURCES)


class Prometheus(pulumi.ComponentResource):
    """Server, configuration, Service, network policy, and the right to look up the pods of its own namespace."""

    url: pulumi.Output[str]
    """See `exposure.url`."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the server; its objects are called `name`."""
        super().__init__("cloudnative:index:Prometheus", checks.component_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        limit = pulumi.CustomTimeouts(create=f"{TIMEOUT_SECONDS}s", update=f"{TIMEOUT_SECONDS}s")
        awaited = pulumi.ResourceOptions(parent=self, custom_timeouts=limit)
        labels = args.labels.of(name, "monitoring")
        selector = args.labels.selector(name)
        metadata = owned(name=name, namespace=args.namespace, labels=labels)

        account = ServiceAccount(
            f"{name}-account",
            metadata=metadata,
            automount_service_account_token=False,
            image_pull_secrets=[LocalObjectReferenceArgs(name=secret) for secret in args.pull_secrets] or None,
            opts=child,
        )
        role = Role(f"{name}-role", metadata=metadata, rules=_rights(), opts=child)
        RoleBinding(
            f"{name}-binding",
            metadata=metadata,
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name),
            subjects=[
                SubjectArgs(kind="ServiceAccount", name=account.metadata.name, namespace=account.metadata.namespace)
            ],
            opts=child,
        )
        files = {"prometheus.yml": scrape_config(args.targets, args.scrape_interval_seconds)}
        config = ConfigMap(
            f"{name}-config",
            metadata=owned(name=named_after(f"{name}-config", files), namespace=args.namespace, labels=labels),
            data=files,
            opts=child,
        )
        pod = _pod(name, args, account.metadata.name, config.metadata.name)
        Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec=DeploymentSpecArgs(
                replicas=1,
                progress_deadline_seconds=TIMEOUT_SECONDS,
                revision_history_limit=10,
                selector=LabelSelectorArgs(match_labels=selector),
                # One server at a time: a second one would count every sample twice where both are queried.
                strategy=DeploymentStrategyArgs(type="Recreate"),
                template=PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod),
            ),
            opts=awaited,
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
                load_balancer_source_ranges=load_balancer_source_ranges(args.service_type, args.source_ranges),
                ports=[ServicePortArgs(name="http", port=PORT, target_port="http")],
            ),
            opts=awaited,
        )
        NetworkPolicy(f"{name}-network", metadata=metadata, spec=_flows(args, selector), opts=child)

        self.url = url(service, args.service_type, PORT)
        self.register_outputs({"url": self.url})


def _flows(args: PrometheusArgs, selector: Mapping[str, str]) -> NetworkPolicySpecArgs:
    """Return whom the server talks to: those who ask it, what it scrapes, and the API server."""
    return network.spec(
        selector,
        ingress=[Flow(peer=Peer(addresses=args.source_ranges), ports=["http"])],
        egress=[
            *(Flow(peer=Peer(pods=target.pods), ports=[target.port]) for target in args.targets),
            Flow(peer=Peer(addresses=args.api_server), ports=API_SERVER_PORTS),
        ],
    )


def _rights() -> list[PolicyRuleArgs]:
    """Return what the discovery role `endpointslice` watches: slices and, for labels, the Services and pods behind."""
    verbs = ["list", "watch"]
    return [
        PolicyRuleArgs(api_groups=["discovery.k8s.io"], resources=["endpointslices"], verbs=verbs),
        PolicyRuleArgs(api_groups=[""], resources=["pods", "services"], verbs=verbs),
    ]


def _pod(name: str, args: PrometheusArgs, account: pulumi.Input[str], config: pulumi.Input[str]) -> PodSpecArgs:
    """Return the pod: one hardened container, its configuration, and a place for its data."""
    ports = {"http": PORT}
    return PodSpecArgs(
        service_account_name=account,
        # Loosened: the server asks the API server which pods there are.
        automount_service_account_token=True,
        enable_service_links=False,
        security_context=security.of_pod(USER),
        containers=[
            ContainerArgs(
                name=name,
                image=args.image,
                image_pull_policy="IfNotPresent",
                args=[
                    "--config.file=/etc/prometheus/prometheus.yml",
                    "--storage.tsdb.path=/prometheus",
                    f"--storage.tsdb.retention.time={args.retention}",
                    # Below the volume's limit, at which the kubelet would evict the pod.
                    "--storage.tsdb.retention.size=800MB",
                ],
                ports=[ContainerPortArgs(name=port, container_port=number) for port, number in ports.items()],
                resources=RESOURCES.requirements(),
                security_context=security.of_container(),
                startup_probe=probes.http("/-/ready", port="http", of=ports, period_seconds=1, failure_threshold=60),
                readiness_probe=probes.http("/-/ready", port="http", of=ports, period_seconds=5, failure_threshold=3),
                liveness_probe=probes.http("/-/healthy", port="http", of=ports, period_seconds=10, failure_threshold=3),
                # What a container that fails said last then stands in its status, and so in the error of `pulumi up`.
                termination_message_policy="FallbackToLogsOnError",
                volume_mounts=[
                    VolumeMountArgs(name="config", mount_path="/etc/prometheus", read_only=True),
                    VolumeMountArgs(name="data", mount_path="/prometheus"),
                ],
            )
        ],
        volumes=[
            VolumeArgs(name="config", config_map=ConfigMapVolumeSourceArgs(name=config)),
            VolumeArgs(name="data", empty_dir=EmptyDirVolumeSourceArgs(size_limit="1Gi")),
        ],
    )
