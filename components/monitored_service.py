"""A service as monitoring sees it: where it is scraped, what it promises, what it exports, and all that follows.

What is declared of it is what can be measured: a rule or panel whose metric has no source in this environment is left
out, and one whose metric nobody exports at all is an error, before anything is made.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from components import alerts, calls, panels, signals
from components.exported_metrics import ExportedMetrics
from components.objective import Objective
from components.panels import Panel, Section
from components.rules import Group, Recording, metrics_of
from components.scrape_config import ScrapeTarget
from components.signals import Source


@dataclass(frozen=True, kw_only=True)
class MonitoredService:
    """One service; its container and its Deployment have its name."""

    target: ScrapeTarget
    objective: Objective
    exported: ExportedMetrics
    """What the service itself says that it exports."""

    calls: Sequence[str] = ()
    """Names of the services that it calls. Default: none."""

    def __post_init__(self) -> None:
        """Refuse an objective that the service's metrics cannot tell."""
        self.objective.check(self.exported)

    def groups(self, available: Collection[Source], divisor: int) -> list[Group]:
        """Return the rules whose metrics have a source.

        Args:
            available: The sources beside services that are scraped.
            divisor: See `Objective.groups`.

        Raises:
            ValueError: a rule needs a metric that neither the service, nor a recording rule, nor any source has.
        """
        groups = [
            *self.objective.groups(self.target, divisor),
            alerts.group(self.target),
            *(calls.group(self.target, callee) for callee in self.calls),
        ]
        recorded = _recorded(groups)
        return [
            replace(
                group,
                rules=[rule for rule in group.rules if self._has_source(rule.name, [rule.expr], recorded, available)],
            )
            for group in groups
        ]

    def sections(self, available: Collection[Source], divisor: int) -> list[Section]:
        """Return the panels whose metrics have a source; arguments and errors are those of `groups`."""
        recorded = _recorded(self.objective.groups(self.target, divisor))

        def shown(panel: Panel) -> bool:
            exprs = [query.expr for query in panel.queries]
            return self._has_source(f"the panel {panel.title!r}", exprs, recorded, available)

        return [
            Section(title=section.title, panels=[panel for panel in section.panels if shown(panel)])
            for section in [
                *panels.sections(self.target, self.objective, divisor),
                *(calls.section(self.target, callee) for callee in self.calls),
            ]
        ]

    def _has_source(
        self, what: str, exprs: Iterable[str], recorded: Collection[str], available: Collection[Source]
    ) -> bool:
        metrics = frozenset().union(*(metrics_of(expr) for expr in exprs))
        known = self.exported.names.union(recorded, signals.SCRAPE, *signals.METRICS.values())
        if metrics - known:
            raise ValueError(
                f"{what} of {self.target.name} needs {', '.join(sorted(metrics - known))}, which nobody exports; "
                f"the service itself exports {', '.join(sorted(self.exported.names))}"
            )
        return not signals.missing(metrics, available)


def _recorded(groups: Iterable[Group]) -> frozenset[str]:
    return frozenset(rule.name for group in groups for rule in group.rules if isinstance(rule, Recording))


def rules(
    services: Sequence[MonitoredService],
    available: Collection[Source],
    divisor: int,
    databases: Sequence[Group] = (),
) -> list[Group]:
    """Return the rules of all services of one namespace, of their databases, of the namespace, and of its gateway.

    Errors are those of `groups`.
    """
    (namespace,) = {service.target.namespace for service in services}
    found = [group for service in services for group in service.groups(available, divisor)]
    shared = [*databases, alerts.of_namespace(namespace), alerts.of_gateway(namespace)]
    return [*found, *(group for group in shared if _have_sources([rule.expr for rule in group.rules], available))]


def shared_sections(services: Sequence[MonitoredService], available: Collection[Source]) -> dict[str, list[Section]]:
    """Return the panels of what all services of one namespace share, by whose they are, where they have a source."""
    (namespace,) = {service.target.namespace for service in services}
    section = panels.of_gateway(namespace)
    exprs = [query.expr for panel in section.panels for query in panel.queries]
    return {"gateway": [section]} if _have_sources(exprs, available) else {}


def _have_sources(exprs: Iterable[str], available: Collection[Source]) -> bool:
    return not any(signals.missing(metrics_of(expr), available) for expr in exprs)
