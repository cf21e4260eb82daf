"""Rules of Prometheus as typed values: what is recorded, and what alerts; and the one form that both back ends take.

`rule_file` gives what stands in a rule file and, unchanged, in the `spec` of a PrometheusRule. What a service's rules
are is said in `objective` and `alerts`; who is told of an alert, in `alert_routing`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["page", "ticket"]
"""Whether somebody has to act now, or in working hours."""

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One recording rule: the series `name` always holds what `expr` says."""

    name: str
    expr: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alerting rule."""

    name: str
    """In CamelCase; the runbook has a section of this name."""

    expr: str
    severity: Severity
    summary: str
    """One line, for a pager; Prometheus' templates (`{{ $labels.pod }}`) are filled in."""

    description: str
    """What it means for users, and the value that was measured; a template, too."""

    for_seconds: int = 0
    """How long `expr` has to hold before anybody is told. Default: no time."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rules that are evaluated one after another, at the same time."""

    name: str
    rules: Sequence[Recording | Alert]
    about: Mapping[str, str]
    """Labels of all its alerts that say what they are about: `namespace`, by which the Operator routes, and `service`.

    An alert's own series need not have them: nothing is left of a service that is gone, and kube-state-metrics has the
    Operator put its own name there.
    """


def duration(seconds: int) -> str:
    """Return `seconds` in Prometheus' notation, in the largest unit that needs no fraction: `3d`, `90s`."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def metrics_of(expr: str) -> frozenset[str]:
    """Return the names of the metrics in `expr`, in which every metric has its matchers in braces."""
    return frozenset(_SELECTOR.findall(expr))


def rule_file(groups: Sequence[Group], *, labels: Mapping[str, str], runbooks: str) -> dict[str, Any]:
    """Return the content of a rule file, or the `spec` of a PrometheusRule.

    Args:
        groups: The rules.
        labels: What every alert is labelled with beside its severity.
        runbooks: Where the runbooks are: a path or URL, to which an alert adds `#` and its name in lower case.
    """
    return {
        "groups": [
            {"name": group.name, "rules": [_rule(rule, {**labels, **group.about}, runbooks) for rule in group.rules]}
            for group in groups
        ]
    }


def _rule(rule: Recording | Alert, labels: Mapping[str, str], runbooks: str) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expr}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **({"for": duration(rule.for_seconds)} if rule.for_seconds else {}),
        "labels": {**labels, "severity": rule.severity},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{runbooks}#{rule.name.lower()}",
        },
    }
