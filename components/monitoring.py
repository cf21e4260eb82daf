"""Monitoring by a Prometheus Operator that runs in the cluster already, of all services of the stack.

A ServiceMonitor and a dashboard for each service, one PrometheusRule and one AlertmanagerConfig. It installs neither
the operator nor its CustomResourceDefinitions, and it cannot tell whether a Prometheus picks these up: that depends on
the labels and namespaces which that Prometheus, and its Alertmanager, select.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap, Secret

from components import checks
from components.alert_routing import URL_KEY, alertmanager_config_spec
from components.dashboards import FOUND_BY, grafana_json
from components.labels import Labels
from components.monitored_service import MonitoredService, rules
from components.objective import check_divisor
from components.ownership import owned
from components.rules import Group, rule_file
from components.scrape_config import service_monitor_spec
from components.signals import Signal


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is scraped and how often, what the rules may count on, and who is told."""

    namespace: pulumi.Input[str]
    labels: Labels
    services: Sequence[MonitoredService]
    databases: Sequence[Group] = ()
    """Alerts about the services' databases, see `Database.rules`."""

    signals: Sequence[Signal]
    """What the cluster's Prometheus scrapes beside services."""

    runbooks: str
    """See `rules.rule_file`."""

    webhook_url: pulumi.Input[str] | None = None
    """Where alerts are sent. Pass a secret Output, so that the state encrypts it. Default: to nobody."""

    scrape_interval_seconds: int
    window_divisor: int = 1
    """What the windows of all objectives are divided by; for a drill."""

    selected_by: Mapping[str, str]
    """Labels that the cluster's Prometheus and Alertmanager select objects by; empty if they select all."""

    def __post_init__(self) -> None:
        """Refuse what is no label, and a monitoring of nothing."""
        checks.field("selected_by", checks.labels, self.selected_by)
        checks.field(
            "window_divisor", partial(check_divisor, interval=self.scrape_interval_seconds), self.window_divisor
        )
        if not self.services:
            raise ValueError("services must name at least one service, found none; leave Monitoring out instead")


class Monitoring(pulumi.ComponentResource):
    """ServiceMonitors and dashboards, each with the name of its service; rules and routing, with the component's."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare them all."""
        super().__init__("cloudnative:index:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        def declare(resource: str, version: str, kind: str, called: str, spec: Mapping[str, object]) -> None:
            labels = {**args.selected_by, **args.labels.of(called, "monitoring")}
            CustomResource(
                f"{name}-{resource}",
                api_version=f"monitoring.coreos.com/{version}",
                kind=kind,
                metadata=owned(name=called, namespace=args.namespace, labels=labels),
                spec=spec,
                opts=child,
            )

        for service in args.services:
            target = service.target
            spec = service_monitor_spec(target, args.scrape_interval_seconds)
            declare(target.name, "v1", "ServiceMonitor", target.name, spec)
            sections = service.sections(args.signals, args.window_divisor)
            ConfigMap(
                f"{name}-{target.name}-dashboard",
                metadata=owned(
                    name=f"{target.name}-dashboard",
                    namespace=args.namespace,
                    labels={**FOUND_BY, **args.labels.of(target.name, "monitoring")},
                ),
                data={f"{target.name}.json": grafana_json(target.name, args.labels.environment, sections)},
                opts=child,
            )
        groups = rules(args.services, args.signals, args.window_divisor, args.databases)
        alert_labels = {"owner": args.labels.owner, "environment": args.labels.environment}
        declare("rules", "v1", "PrometheusRule", name, rule_file(groups, labels=alert_labels, runbooks=args.runbooks))
        secret = None
        if args.webhook_url is not None:
            secret = Secret(
                f"{name}-webhook",
                metadata=owned(namespace=args.namespace, labels=args.labels.of(name, "monitoring")),
                string_data={URL_KEY: args.webhook_url},
                opts=child,
            ).metadata.name
        routing = alertmanager_config_spec(secret=secret, divisor=args.window_divisor)
        declare("routing", "v1alpha1", "AlertmanagerConfig", name, routing)
        self.register_outputs({})
