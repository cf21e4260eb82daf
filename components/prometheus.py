"""A Prometheus server of the stack's own, which scrapes the services that the program declares and nothing else.

For development: one replica, and its data goes with its pod; a changed configuration makes a new pod instead of a
reload. It evaluates the services' rules, sends alerts to the stack's Alertmanager, and serves a page of the services'
panels. Where the Prometheus Operator runs, `monitoring.Monitoring` takes its place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from components import checks, console, network
from components.alertmanager import Alertmanager
from components.exposure import Published, ServiceType
from components.labels import Labels
from components.monitored_service import MonitoredService, rules, shared_sections
from components.network import Flow, Peer
from components.objective import check_divisor
from components.ownership import owned
from components.quota import Demand
from components.resources import Resources
from components.rules import Group, rule_file
from components.scrape_config import CONFIG_FILE, scrape_config
from components.server import ServerArgs, server
from components.signals import Sources
from components.yaml_text import to_yaml

PORT = 9090
"""Prometheus' own default, in the pod and on the Service."""

RESOURCES = Resources(
    cpu_request="50m",
    cpu_limit="1",
    memory_request="96Mi",
    memory_limit="512Mi",
    ephemeral_storage_request="256Mi",
    ephemeral_storage_limit="1280Mi",
)
"""Enough for some ten thousand series, which is far more than a development stack has."""

FOLDER = "/etc/prometheus"
"""Where the server finds its configuration."""

DATA = "/prometheus"
"""Where it keeps its samples."""

KUBELET_PORT = 10250
"""Of every kubelet, unless its configuration says otherwise."""


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """Which server, and what it scrapes."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: str
    """Image with a digest or a tag other than `latest`, whose entry point is Prometheus."""

    services: Sequence[MonitoredService]
    databases: Sequence[Group] = ()
    """Alerts about the services' databases, see `Database.rules`."""

    sources: Sources
    """Where the cluster's own signals are."""

    alertmanager: Alertmanager
    runbooks: str
    """See `rules.rule_file`."""

    scrape_interval_seconds: int
    window_divisor: int = 1
    """What the windows of all objectives are divided by; for a drill."""

    retention: str
    """How long samples are kept, in Prometheus' notation, such as `12h` or `1d`. 800 MB of them are kept at most."""

    service_type: ServiceType
    source_ranges: Sequence[str] = network.ANYWHERE
    """Networks that may reach the server, in CIDR notation. Default: all."""

    published: Published | None = None
    """See `ServerArgs.published`. Default: it is not."""

    api_server: Sequence[str]
    """Networks of the API server, in CIDR notation, which the server asks for the pods to scrape."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse an image that names no one version, and a server with nothing to do."""
        checks.field("image", checks.image, self.image)
        checks.field("source_ranges", checks.networks, self.source_ranges)
        checks.field("api_server", checks.networks, self.api_server)
        if not self.services:
            raise ValueError("services must name at least one service, found none; a Prometheus without is of no use")
        checks.field(
            "window_divisor", partial(check_divisor, interval=self.scrape_interval_seconds), self.window_divisor
        )
        if not self.api_server:
            raise ValueError("api_server must name at least one network, found none; nothing would be found to scrape")


def demand(name: str) -> Demand:
    """Return what the server `name` asks for at most; it is replaced, never doubled."""
    return Demand(name=name, pods=1, resources=RESOURCES)


class Prometheus(pulumi.ComponentResource):
    """Server, configuration, Service, network policy, and the right to look up the pods of its own namespace."""

    url: pulumi.Output[str]
    """See `server.Server.url`."""

    page_url: pulumi.Output[str]
    """Where the panels of the services are."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the server; its objects are called `name`."""
        super().__init__("cloudnative:index:Prometheus", checks.component_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = args.labels.of(name, "monitoring")
        made = server(
            name,
            ServerArgs(
                namespace=args.namespace,
                labels=args.labels,
                image=args.image,
                arguments=[
                    f"--config.file={FOLDER}/{CONFIG_FILE}",
                    f"--web.console.templates={FOLDER}/consoles",
                    f"--storage.tsdb.path={DATA}",
                    f"--storage.tsdb.retention.time={args.retention}",
                    # Below the volume's limit, at which the kubelet would evict the pod.
                    "--storage.tsdb.retention.size=800MB",
                ],
                port=PORT,
                folder=FOLDER,
                files=_files(args),
                data=DATA,
                data_limit="1Gi",
                resources=RESOURCES,
                # Loosened: the server asks the API server which pods there are.
                asks_the_api_server=True,
                service_type=args.service_type,
                source_ranges=args.source_ranges,
                published=args.published,
                egress=_egress(args),
                pull_secrets=args.pull_secrets,
            ),
            self,
        )
        role = Role(
            f"{name}-role",
            metadata=owned(name=name, namespace=args.namespace, labels=labels),
            rules=_rights(),
            opts=child,
        )
        RoleBinding(
            f"{name}-binding",
            metadata=owned(name=name, namespace=args.namespace, labels=labels),
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name),
            subjects=[_subject(made.account)],
            opts=child,
        )
        if args.sources.kubelets:
            _may_ask_kubelets(name, args, made.account, child)
        self.url = made.url
        self.page_url = pulumi.Output.concat(self.url, f"/consoles/{console.PAGE}")
        self.register_outputs({"url": self.url, "page_url": self.page_url})


def _files(args: PrometheusArgs) -> dict[str, str]:
    """Return the files of the configuration by their paths."""
    available, divisor = args.sources.available, args.window_divisor
    groups = rules(args.services, available, divisor, args.databases)
    alerts = rule_file(
        groups, labels={"owner": args.labels.owner, "environment": args.labels.environment}, runbooks=args.runbooks
    )
    return {
        CONFIG_FILE: scrape_config(
            [service.target for service in args.services],
            args.scrape_interval_seconds,
            sources=args.sources,
            alertmanager=args.alertmanager.address,
            rules=f"{FOLDER}/rules.yml",
        ),
        "rules.yml": to_yaml(alerts),
        f"consoles/{console.PAGE}": console.page(
            f"Services of {args.labels.instance}",
            {
                **{service.target.name: service.sections(available, divisor) for service in args.services},
                **shared_sections(args.services, available),
            },
        ),
    }


def _may_ask_kubelets(
    name: str,
    args: PrometheusArgs,
    account: ServiceAccount,
    opts: pulumi.ResourceOptions,
) -> None:
    """Let the server find the nodes, and read the metrics of their kubelets. Nodes belong to no namespace."""
    labels = args.labels.of(name, "monitoring")
    metadata = owned(name=pulumi.Output.concat(args.namespace, "-", name), labels=labels)
    role = ClusterRole(
        f"{name}-kubelets-role",
        metadata=metadata,
        rules=[
            PolicyRuleArgs(api_groups=[""], resources=["nodes"], verbs=["list", "watch"]),
            PolicyRuleArgs(api_groups=[""], resources=["nodes/metrics"], verbs=["get"]),
        ],
        opts=opts,
    )
    ClusterRoleBinding(
        f"{name}-kubelets-binding",
        metadata=metadata,
        role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role.metadata.name),
        subjects=[_subject(account)],
        opts=opts,
    )


def _subject(account: ServiceAccount) -> SubjectArgs:
    return SubjectArgs(kind="ServiceAccount", name=account.metadata.name, namespace=account.metadata.namespace)


def _egress(args: PrometheusArgs) -> list[Flow]:
    """Return whom the server talks to: what it scrapes, the API server, and Alertmanager."""
    return [
        *(Flow(peer=Peer(pods=one.target.pods), ports=[one.target.port]) for one in args.services),
        Flow(peer=Peer(addresses=args.api_server), ports=network.API_SERVER_PORTS),
        Flow(peer=Peer(pods=args.alertmanager.pods), ports=["http"]),
        *_flows_to(args.sources),
    ]


def _flows_to(sources: Sources) -> Iterator[Flow]:
    if sources.kube_state_metrics:
        where = sources.kube_state_metrics
        peer = Peer(namespace=where.namespace, pods={"app.kubernetes.io/name": "kube-state-metrics"})
        yield Flow(peer=peer, ports=[where.port])
    if sources.kubelets:
        yield Flow(peer=Peer(addresses=sources.kubelets), ports=[KUBELET_PORT])
    if sources.gateway:
        peer = Peer(namespace=sources.gateway.namespace, pods=sources.gateway.pods)
        yield Flow(peer=peer, ports=[sources.gateway.port])


def _rights() -> list[PolicyRuleArgs]:
    """Return what the discovery role `endpointslice` watches: slices and, for labels, the Services and pods behind."""
    verbs = ["list", "watch"]
    return [
        PolicyRuleArgs(api_groups=["discovery.k8s.io"], resources=["endpointslices"], verbs=verbs),
        PolicyRuleArgs(api_groups=[""], resources=["pods", "services"], verbs=verbs),
    ]
