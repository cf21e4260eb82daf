"""An Alertmanager of the stack's own: takes the alerts of its Prometheus, groups them, and tells a webhook.

For development, beside `prometheus.Prometheus`: one replica, and silences go with its pod. Where the Prometheus
Operator runs, the cluster's Alertmanager gets an AlertmanagerConfig from `monitoring.Monitoring` instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components import checks, network
from components.alert_routing import URL_FOLDER, URL_KEY, alertmanager_yml
from components.exposure import Published, ServiceType
from components.labels import Labels
from components.network import Flow, Peer
from components.ownership import owned
from components.quota import Demand
from components.resources import Resources
from components.server import ServerArgs, server

PORT = 9093
"""Alertmanager's own default, in the pod and on the Service."""

FOLDER = "/etc/alertmanager"
"""Where the server finds its configuration."""

CONFIG_FILE = "alertmanager.yml"

DATA = "/alertmanager"
"""Where it keeps silences, and what it has told already."""

RESOURCES = Resources(
    cpu_request="10m",
    cpu_limit="500m",
    memory_request="32Mi",
    memory_limit="128Mi",
    ephemeral_storage_request="16Mi",
    ephemeral_storage_limit="128Mi",
)
"""Enough for some thousand alerts at a time."""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Where alerts are sent: Alertmanager's own form of them, by POST."""

    url: pulumi.Input[str]
    """Pass a secret Output, so that the state encrypts it: such URLs are often all that a sender needs to know."""

    port: int
    """Of that URL."""

    networks: Sequence[str]
    """Networks that it is at, in CIDR notation."""

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        checks.field("networks", checks.networks, self.networks)


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """Which server, who sends it alerts, and where it passes them on to."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: str
    """Image with a digest or a tag other than `latest`, whose entry point is Alertmanager."""

    sent_by: Peer
    """The Prometheus that sends alerts."""

    webhook: Webhook | None = None
    """Default: alerts are only shown."""

    time_divisor: int = 1
    """What all waiting times are divided by; for a drill."""

    service_type: ServiceType
    source_ranges: Sequence[str] = network.ANYWHERE
    """Networks that may reach the server, in CIDR notation, to see and silence alerts. Default: all."""

    published: Published | None = None
    """See `ServerArgs.published`. Default: it is not."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse an image that names no one version, and what is no network."""
        checks.field("image", checks.image, self.image)
        checks.field("source_ranges", checks.networks, self.source_ranges)


def demand(name: str) -> Demand:
    """Return what the server `name` asks for at most; it is replaced, never doubled."""
    return Demand(name=name, pods=1, resources=RESOURCES)


class Alertmanager(pulumi.ComponentResource):
    """Server, configuration, Service and network policy."""

    url: pulumi.Output[str]
    """See `server.Server.url`."""

    address: str
    """Host and port inside the namespace."""

    pods: Mapping[str, str]
    """Labels that only its pods have; their port is called `http`."""

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the server; its objects are called `name`."""
        super().__init__("cloudnative:index:Alertmanager", checks.component_name(name), None, opts)
        webhook = args.webhook
        secrets = {}
        if webhook:
            secret = Secret(
                f"{name}-webhook",
                metadata=owned(namespace=args.namespace, labels=args.labels.of(name, "monitoring")),
                string_data={URL_KEY: webhook.url},
                opts=pulumi.ResourceOptions(parent=self),
            )
            secrets = {URL_FOLDER: secret.metadata.name}
        self.address = f"{name}:{PORT}"
        self.pods = args.labels.selector(name)
        self.url = server(
            name,
            ServerArgs(
                namespace=args.namespace,
                labels=args.labels,
                image=args.image,
                arguments=[
                    f"--config.file={FOLDER}/{CONFIG_FILE}",
                    f"--storage.path={DATA}",
                    # No cluster of Alertmanagers: nothing listens for others.
                    "--cluster.listen-address=",
                ],
                port=PORT,
                folder=FOLDER,
                files={CONFIG_FILE: alertmanager_yml(webhook=webhook is not None, divisor=args.time_divisor)},
                data=DATA,
                data_limit="64Mi",
                secrets=secrets,
                resources=RESOURCES,
                service_type=args.service_type,
                source_ranges=args.source_ranges,
                published=args.published,
                ingress=[Flow(peer=args.sent_by, ports=["http"])],
                egress=[Flow(peer=Peer(addresses=webhook.networks), ports=[webhook.port])] if webhook else (),
                pull_secrets=args.pull_secrets,
            ),
            self,
        ).url
        self.register_outputs({"url": self.url})
