"""One pod of a server that monitoring needs: its configuration, its Service, and whom it may talk to.

What `prometheus` and `alertmanager` have in common. For development: what the server keeps goes with its pod, and a
changed configuration makes a new pod instead of a reload. It adds no rights and no secrets of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMapProjectionArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    KeyToPathArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProjectedVolumeSourceArgs,
    SecretVolumeSourceArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeProjectionArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import network, probes, security
from components.account import account
from components.content import config_map
from components.exposure import Published, ServiceType, await_annotations, load_balancer_source_ranges, url
from components.labels import Labels
from components.network import Flow, Peer
from components.ownership import owned
from components.resources import Resources

USER = 65534
"""User and group that the pod runs as: `nobody`, whom Prometheus' images run as."""

TIMEOUT_SECONDS = 120
"""How long the server may take to become ready before the update counts as failed."""

LARGEST = 2**20
"""Bytes that a ConfigMap may hold: https://kubernetes.io/docs/concepts/configuration/configmap/."""


@dataclass(frozen=True, kw_only=True)
class ServerArgs:
    """Which server, what it is given, and who reaches it; it answers /-/ready and /-/healthy on its port `http`."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: str
    arguments: Sequence[str]
    port: int
    """In the pod and on the Service."""

    folder: str
    """Where the pod finds `files`."""

    files: Mapping[str, str]
    """Texts by their paths below `folder`; changed ones roll the pod."""

    data: str
    """Path of a writable folder."""

    data_limit: str
    """Quantity at which the pod is evicted for what it has written there."""

    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Names of Secrets by the folders in which the pod finds them as files."""

    resources: Resources
    asks_the_api_server: bool = False
    """Whether the pod gets a token. Default: no."""

    service_type: ServiceType
    source_ranges: Sequence[str]
    """Networks that may reach the server, in CIDR notation; where it is `published`, the gateway sees to that."""

    published: Published | None
    """How the server is reached through a gateway; None where it is not, and `service_type` says how."""

    ingress: Sequence[Flow] = ()
    """Who may beside them."""

    egress: Sequence[Flow] = ()
    pull_secrets: Sequence[pulumi.Input[str]]

    def __post_init__(self) -> None:
        """Refuse a file that no ConfigMap could hold."""
        for path, text in self.files.items():
            if _size(text) > LARGEST:
                raise ValueError(
                    f"files must each have at most {LARGEST} bytes, found {_size(text)} in {path}; "
                    "it grows with the services: spread them over more stacks"
                )


@dataclass(frozen=True, kw_only=True)
class Server:
    """What else is made of a server."""

    account: ServiceAccount
    url: pulumi.Output[str]
    """Where it is published, or else see `exposure.url`."""


def server(name: str, args: ServerArgs, parent: pulumi.Resource) -> Server:
    """Declare the server `name` and all that it needs, as children of `parent`; the objects are called `name` too."""
    child = pulumi.ResourceOptions(parent=parent)
    limit = pulumi.CustomTimeouts(create=f"{TIMEOUT_SECONDS}s", update=f"{TIMEOUT_SECONDS}s")
    awaited = pulumi.ResourceOptions(parent=parent, custom_timeouts=limit)
    labels, selector = args.labels.of(name, "monitoring"), args.labels.selector(name)
    metadata = owned(name=name, namespace=args.namespace, labels=labels)

    runs_as = account(name, metadata, args.pull_secrets, child)
    sources = []
    for index, files in enumerate(shared_out(args.files)):
        data = {PurePath(path).name: text for path, text in files.items()}
        called = f"{name}-config" if index == 0 else f"{name}-config-{index + 1}"
        config = config_map(called, data, namespace=args.namespace, labels=labels, opts=child)
        items = [KeyToPathArgs(key=PurePath(path).name, path=path) for path in files]
        sources.append(VolumeProjectionArgs(config_map=ConfigMapProjectionArgs(name=config.metadata.name, items=items)))
    pod = _pod(name, args, runs_as.metadata.name, sources)
    Deployment(
        f"{name}-deployment",
        metadata=metadata,
        spec=DeploymentSpecArgs(
            replicas=1,
            progress_deadline_seconds=TIMEOUT_SECONDS,
            revision_history_limit=10,
            selector=LabelSelectorArgs(match_labels=selector),
            # One at a time: a second one would count every sample, or tell every alert, twice.
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
            ports=[ServicePortArgs(name="http", port=args.port, target_port="http")],
        ),
        opts=awaited,
    )
    visitors = args.published.gateway if args.published else Peer(addresses=args.source_ranges)
    ingress = [Flow(peer=visitors, ports=["http"]), *args.ingress]
    flows = network.spec(selector, ingress=ingress, egress=args.egress)
    NetworkPolicy(f"{name}-network", metadata=metadata, spec=flows, opts=child)
    reached_at = pulumi.Output.from_input(args.published.url) if args.published else None
    return Server(account=runs_as, url=reached_at or url(service, args.service_type, args.port))


def _published(published: Published | None) -> list[str]:
    """Return what tells a server which URL it is reached by; it serves at / all the same, as the path is taken off."""
    return [f"--web.external-url={published.url}", "--web.route-prefix=/"] if published else []


def shared_out(files: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the files, none of them too large by itself, in parts that a ConfigMap may hold each."""
    parts: list[dict[str, str]] = [{}]
    for path, text in files.items():
        if sum(map(_size, parts[-1].values())) + _size(text) > LARGEST:
            parts.append({})
        parts[-1][path] = text
    return parts


def _size(text: str) -> int:
    return len(text.encode())


def _pod(
    name: str, args: ServerArgs, runs_as: pulumi.Input[str], config: Sequence[VolumeProjectionArgs]
) -> PodSpecArgs:
    """Return the pod: one hardened container, its configuration, its secrets, and a place for its data."""
    ports = {"http": args.port}
    volumes = [
        VolumeArgs(name="config", projected=ProjectedVolumeSourceArgs(sources=config)),
        VolumeArgs(name="data", empty_dir=EmptyDirVolumeSourceArgs(size_limit=args.data_limit)),
    ]
    mounts = [
        VolumeMountArgs(name="config", mount_path=args.folder, read_only=True),
        VolumeMountArgs(name="data", mount_path=args.data),
    ]
    for folder, secret in args.secrets.items():
        volume = PurePath(folder).name
        volumes.append(VolumeArgs(name=volume, secret=SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440)))
        mounts.append(VolumeMountArgs(name=volume, mount_path=folder, read_only=True))
    return PodSpecArgs(
        service_account_name=runs_as,
        automount_service_account_token=args.asks_the_api_server,
        enable_service_links=False,
        security_context=security.of_pod(USER),
        containers=[
            ContainerArgs(
                name=name,
                image=args.image,
                image_pull_policy="IfNotPresent",
                args=[*args.arguments, *_published(args.published)],
                ports=[ContainerPortArgs(name=port, container_port=number) for port, number in ports.items()],
                resources=args.resources.requirements(),
                security_context=security.of_container(),
                startup_probe=probes.http("/-/ready", port="http", of=ports, period_seconds=1, failure_threshold=60),
                readiness_probe=probes.http("/-/ready", port="http", of=ports, period_seconds=5, failure_threshold=3),
                liveness_probe=probes.http("/-/healthy", port="http", of=ports, period_seconds=10, failure_threshold=3),
                # What a container that fails said last then stands in its status, and so in the error of `pulumi up`.
                termination_message_policy="FallbackToLogsOnError",
                volume_mounts=mounts,
            )
        ],
        volumes=volumes,
    )
