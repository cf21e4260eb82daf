"""What is declared of a service is what can be measured, and all that is measured is told from the same metrics."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import services
from components import alerts, panels, signals
from components.exported_metrics import ExportedMetrics
from components.monitored_service import MonitoredService, rules, shared_sections
from components.panels import Panel, Query, Section
from components.rules import Alert, Group, duration, metrics_of
from components.signals import METRICS, KubeStateMetrics, Source, Sources
from tests.unit.program.examples import DATABASE, EXPORTED, SERVICE, SERVICES, SOURCES
from tests.unit.program.harness import as_it_stands, image_lock, run_stack

NEEDING: dict[Source, tuple[set[str], set[str]]] = {
    "kube-state-metrics": (
        {"BackupMissed", "DatabaseDown", "PodRestarting", "QuotaNearlyUsed"},
        {"Rollout", "Restarts"},
    ),
    "cadvisor": ({"CpuThrottled", "MemoryNearLimit"}, {"CPU", "CPU throttled", "Memory"}),
    "gateway": (
        {"GatewayErrors"},
        {"Requests through the gateway", "Durations at the gateway", "Refused by the gateway"},
    ),
}
"""Alerts and panels that need a source beside the service; all others need none."""


def declared(available: Sequence[Source]) -> tuple[set[str], set[str]]:
    """Return the names of the alerts and of the panels."""
    groups = rules([SERVICE], available, 1, [DATABASE])
    found = [rule.name for group in groups for rule in group.rules if isinstance(rule, Alert)]
    sections = [*SERVICE.sections(available, 1), *chain(*shared_sections([SERVICE], available).values())]
    return set(found), {panel.title for section in sections for panel in section.panels}


def every_query() -> list[str]:
    """Return all that Prometheus is asked."""
    of_rules = [rule.expr for group in rules(SERVICES, signals.ALL, 1, [DATABASE]) for rule in group.rules]
    sections = [section for one in SERVICES for section in one.sections(signals.ALL, 1)]
    sections += chain(*shared_sections(SERVICES, signals.ALL).values())
    shown = [panel for section in sections for panel in section.panels]
    return [*of_rules, *(query.expr for panel in shown for query in panel.queries)]


@pytest.mark.parametrize(
    "available", [[], ["kube-state-metrics"], ["cadvisor"], ["gateway"], list(signals.ALL)], ids=str
)
def test_what_needs_a_signal_is_declared_where_that_is_there_and_only_there(available: list[Source]) -> None:
    all_alerts, all_panels = declared(signals.ALL)
    absent = [NEEDING[name] for name in signals.ALL if name not in available]
    lacking = [set(chain.from_iterable(one[kind] for one in absent)) for kind in (0, 1)]
    assert lacking[0] <= all_alerts
    assert lacking[1] <= all_panels
    assert declared(available) == (all_alerts - lacking[0], all_panels - lacking[1])


@pytest.mark.parametrize(
    ("stack", "without"),
    [
        ("dev", {"monitoring": {"kubeStateMetrics": None, "kubelets": None}, "gateway": {"metrics": None}}),
        ("staging", {"monitoring": {"signals": []}}),
    ],
    ids=["own", "operator"],
)
def test_without_signals_neither_back_end_is_told_of_what_needs_them(
    stack: str, without: dict[str, Any], tmp_path: Path
) -> None:
    needing = "|".join(chain.from_iterable(METRICS.values()))
    with_signals, without_signals = as_it_stands(stack), run_stack(stack, {**without, **image_lock(tmp_path)})
    for result, there in ((with_signals, True), (without_signals, False)):
        inputs = [made.inputs for made in (*result.all("ConfigMap"), *result.all("PrometheusRule"))]
        assert bool(re.search(needing, str(inputs))) is there


def test_the_sources_that_are_given_are_the_signals_that_are_there() -> None:
    where = KubeStateMetrics(namespace="monitoring", service="ksm", port=8080)
    assert list(Sources().available) == []
    assert list(Sources(kube_state_metrics=where).available) == ["kube-state-metrics"]
    assert list(Sources(kubelets=["10.0.0.0/8"]).available) == ["cadvisor"]
    assert list(Sources(gateway=SOURCES.gateway).available) == ["gateway"]
    assert list(SOURCES.available) == list(signals.ALL)


def test_kubelets_that_are_at_no_network_are_refused() -> None:
    with pytest.raises(ValueError, match="kubelets must be a list of at least 1 network"):
        Sources(kubelets=["10.0.0.1/8"])


def test_each_metric_has_one_source() -> None:
    sources = [EXPORTED.names, signals.SCRAPE, *METRICS.values()]
    assert len(frozenset().union(*sources)) == sum(map(len, sources))


def test_no_signal_lists_a_metric_that_nobody_asks_for() -> None:
    asked = frozenset().union(*map(metrics_of, every_query()))
    assert asked >= frozenset().union(*METRICS.values())


QUERIES = sorted(set(every_query()))


@pytest.fixture(scope="module")
def probed(promtool: Path) -> Mapping[str, str]:
    """Return each query as Prometheus writes it with a matcher more at each metric; all at once, by what joins them."""
    joined = " or joint or ".join(QUERIES)
    command = [str(promtool), "--experimental", "promql", "label-matchers", "set", joined, "probe", "x"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - upstream's parser
    return dict(zip(QUERIES, said.split('joint{probe="x"}'), strict=True))


@pytest.mark.parametrize("expr", QUERIES)
def test_the_metrics_of_a_query_are_those_that_prometheus_finds_in_it(expr: str, probed: Mapping[str, str]) -> None:
    found = re.findall(r'([\w:]*)\{[^{}]*probe="x"[^{}]*\}', probed[expr])
    assert len(found) == probed[expr].count('probe="x"') > 0
    assert metrics_of(expr) == set(found)


@pytest.mark.parametrize("name", sorted(EXPORTED.names & frozenset().union(*map(metrics_of, every_query()))))
def test_a_metric_that_the_service_does_not_export_is_an_error_that_names_it(name: str) -> None:
    lacking = replace(SERVICE, exported=replace(EXPORTED, names=EXPORTED.names - {name}))
    with pytest.raises(ValueError, match=f"of webapp needs {name}, which nobody exports; the service itself exports "):
        (rules([lacking], signals.ALL, 1), lacking.sections(signals.ALL, 1))


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_a_preview_fails_where_the_app_no_longer_exports_what_a_rule_needs(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = EXPORTED.names - {"http_requests_total"}
    monkeypatch.setattr(services.webapp, "exported", ExportedMetrics(names=names, buckets=EXPORTED.buckets))
    with pytest.raises(ValueError, match="needs http_requests_total, which nobody exports"):
        run_stack(stack, image_lock(tmp_path))


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_a_preview_fails_where_a_panel_asks_for_what_nobody_exports(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Query(expr="sum(http_request_total{})", legend="misspelt")
    wrong = Section(title="New", panels=[Panel(title="Mine", unit="requests", queries=[query], description="Wrong.")])
    monkeypatch.setattr(panels, "sections", lambda *_: [wrong])
    with pytest.raises(ValueError, match="the panel 'Mine' of catalog needs http_request_total, which nobody exports"):
        run_stack(stack, image_lock(tmp_path))


def test_a_rule_may_read_what_another_records_but_not_what_none_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def group(record: str) -> Group:
        alert = Alert(name="New", expr=f"{record}{{}} > 1", severity="page", summary="", description="")
        return Group(name="new", about={}, rules=[alert])

    monkeypatch.setattr(alerts, "group", lambda _: group("service:http_request_errors:ratio_rate5m"))
    assert rules([SERVICE], (), 1)[-1].rules
    monkeypatch.setattr(alerts, "group", lambda _: group("service:http_request_errors:ratio_rate7m"))
    with pytest.raises(ValueError, match="New of webapp needs service:http_request_errors:ratio_rate7m"):
        rules([SERVICE], (), 1)


def test_two_services_have_the_same_rules_each_about_itself() -> None:
    alike = [replace(service, calls=[]) for service in SERVICES]
    one, other = ([repr(group) for group in service.groups(signals.ALL, 1)] for service in alike)
    assert [text.replace("webapp", "catalog") for text in one] == other


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1s"), (90, "90s"), (300, "5m"), (3600, "1h"), (5400, "90m"), (86_400, "1d"), (259_200, "3d")],
)
def test_a_duration_is_written_in_the_largest_unit_that_needs_no_fraction(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_an_objective_that_the_services_metrics_cannot_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="latency_seconds must be a bucket"):
        MonitoredService(target=SERVICE.target, objective=SERVICE.objective, exported=replace(EXPORTED, buckets={}))
