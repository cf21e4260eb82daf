"""What there is to see of a call between two services, from the caller's side."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import services
from components import calls, signals
from components.exported_metrics import ExportedMetrics
from components.monitored_service import MonitoredService
from components.rules import Alert
from components.service import Edge
from services import SERVICES
from tests.unit.program.examples import EXPORTED, SERVICE, WEBAPP
from tests.unit.program.harness import ROOT, image_lock, run_stack

EDGES = [edge for service in SERVICES for edge in service.edges]
OF_CALLS = frozenset(name for name in EXPORTED.names if name.startswith("http_client_"))

SILENT = replace(SERVICE, exported=replace(EXPORTED, names=EXPORTED.names - OF_CALLS))
"""A caller whose app tells nothing of its calls."""


def queries() -> Iterator[str]:
    """Yield all that is asked about one edge."""
    yield from (rule.expr for rule in calls.group(WEBAPP, "catalog").rules)
    yield from (query.expr for panel in calls.section(WEBAPP, "catalog").panels for query in panel.queries)


@pytest.mark.parametrize("expr", list(queries()))
def test_everything_that_is_asked_is_about_this_caller_and_this_callee(expr: str) -> None:
    selectors = re.findall(r"\w+\{([^}]*)\}", expr)
    assert selectors
    for matchers in selectors:
        assert matchers.startswith(f'{WEBAPP.matchers},callee="catalog"')


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge.caller} calls {edge.callee}")
def test_every_caller_of_the_map_exports_what_is_asked_of_its_calls_with_the_labels_that_are_asked_for(
    edge: Edge,
) -> None:
    exported = json.loads((ROOT / "app" / edge.caller / "metrics.json").read_text())
    assert set(exported[calls.REQUESTS.removesuffix("_total")]["labels"]) == {"callee", "outcome"}
    assert exported[calls.DURATION]["labels"] == ["callee"]


def test_one_alert_a_callee_which_is_no_page_as_the_caller_serves_on() -> None:
    groups = {name: calls.group(WEBAPP, name) for name in ("catalog", "cart")}
    assert len({group.name for group in groups.values()}) == len(groups)
    for name, group in groups.items():
        (alert,) = group.rules
        assert isinstance(alert, Alert)
        assert (alert.name, alert.severity) == ("CallsFailing", "ticket")
        assert f"webapp to {name}" in alert.summary
        assert group.about == WEBAPP.about


def test_a_service_that_calls_nobody_has_neither_panels_nor_alerts_about_calls() -> None:
    alone = replace(SERVICE, calls=())
    assert [group.name for group in alone.groups(signals.ALL, 1) if "calls" in group.name] == []
    assert [section.title for section in alone.sections(signals.ALL, 1) if "Calls" in section.title] == []


@pytest.mark.parametrize(
    "ask", [lambda one: one.groups(signals.ALL, 1), lambda one: one.sections(signals.ALL, 1)], ids=["rules", "panels"]
)
def test_a_caller_that_exports_nothing_of_its_calls_is_an_error_that_names_both(
    ask: Callable[[MonitoredService], Any],
) -> None:
    with pytest.raises(ValueError, match=f"of webapp needs {calls.REQUESTS}, which nobody exports; the service itself"):
        ask(SILENT)
    ask(replace(SILENT, calls=()))


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_a_preview_fails_where_a_caller_of_the_map_exports_nothing_of_its_calls(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ExportedMetrics(names=SILENT.exported.names, buckets=EXPORTED.buckets)
    monkeypatch.setattr(services.webapp, "exported", silent)
    with pytest.raises(ValueError, match=f"of webapp needs {calls.REQUESTS}, which nobody exports"):
        run_stack(stack, image_lock(tmp_path))
