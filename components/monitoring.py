"""Scraping by a Prometheus Operator that runs in the cluster already: a ServiceMonitor for each service.

It installs neither the operator nor its CustomResourceDefinitions, and it cannot tell whether a Prometheus picks the
ServiceMonitors up: that depends on the labels and namespaces which that Prometheus selects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components import checks
from components.labels import Labels
from components.ownership import owned
from components.scrape_config import ScrapeTarget, service_monitor_spec


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is scraped, and how often."""

    namespace: pulumi.Input[str]
    labels: Labels
    targets: Sequence[ScrapeTarget]
    scrape_interval_seconds: int
    selected_by: Mapping[str, str]
    """Labels that the Prometheus of the cluster selects ServiceMonitors by; empty if it selects all."""

    def __post_init__(self) -> None:
        """Refuse what is no label, and a monitoring of nothing."""
        checks.field("selected_by", checks.labels, self.selected_by)
        if not self.targets:
            raise ValueError("targets must name at least one service, found none; leave Monitoring out instead")


class Monitoring(pulumi.ComponentResource):
    """One ServiceMonitor a service."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the ServiceMonitors; each has the name of its service."""
        super().__init__("cloudnative:index:Monitoring", name, None, opts)
        for target in args.targets:
            CustomResource(
                f"{name}-{target.name}",
                api_version="monitoring.coreos.com/v1",
                kind="ServiceMonitor",
                metadata=owned(
                    name=target.name,
                    namespace=args.namespace,
                    labels={**args.selected_by, **args.labels.of(target.name, "monitoring")},
                ),
                spec=service_monitor_spec(target, args.scrape_interval_seconds),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
