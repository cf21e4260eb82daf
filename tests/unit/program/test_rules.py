"""What every stack's alerts do, as Prometheus itself evaluates them: they fire, stay silent and resolve."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
import yaml

import settings
from components import monitored_service, signals
from components.objective import Objective
from components.rules import Alert, Severity
from components.yaml_text import to_yaml
from tests.unit.program.examples import DATABASE, SERVICES
from tests.unit.program.harness import PROJECT, Run, as_it_stands, image_lock, run_stack, stack_config
from tests.unit.program.promtool import about_config, said
from tests.unit.program.rule_cases import cases, promtool_tests


@dataclass(frozen=True)
class Variant:
    """A stack, as it stands in its YAML or with another objective or other windows."""

    stack: str
    webapp: Mapping[str, Any] = field(default_factory=dict, hash=False)
    monitoring: Mapping[str, Any] = field(default_factory=dict, hash=False)


DEV = Variant("dev")
DRILL = Variant("dev", monitoring={"windowDivisor": 30, "scrapeIntervalSeconds": 2})
OTHER = Variant(
    "staging", webapp={"objective": {"availabilityPercent": 95, "latencyPercent": 99.95, "latencySeconds": 1}}
)
STACKS = [DEV, Variant("staging"), Variant("prod")]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a stack declares that has to do with rules."""

    run: Run
    rules: Mapping[str, Any]
    """What a rule file holds."""

    objectives: Mapping[str, Objective]
    """By the service that promises it."""

    divisor: int

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All alerting rules."""
        return [rule for group in self.rules["groups"] for rule in group["rules"] if "alert" in rule]

    def alone(self, alert: Mapping[str, Any]) -> dict[str, Any]:
        """Return one alert without its texts, and of its group's recordings those that it reads."""

        def kept(rule: Mapping[str, Any]) -> bool:
            return rule is alert or f"{rule.get('record')}{{" in alert["expr"]

        bare = {key: value for key, value in alert.items() if key != "annotations"}
        groups = [
            {**group, "rules": [bare if rule is alert else rule for rule in group["rules"] if kept(rule)]}
            for group in self.rules["groups"]
            if alert in group["rules"]
        ]
        return {"groups": groups}


@cache
def declared(variant: Variant) -> Declared:
    """Return the rules that a stack declares, wherever it puts them."""
    prefix = f"{PROJECT}:"
    with TemporaryDirectory() as folder:
        overrides = {"webapp": variant.webapp, "monitoring": variant.monitoring, **image_lock(Path(folder))}
        run = as_it_stands(variant.stack) if variant in STACKS else run_stack(variant.stack, overrides)
        config = stack_config(variant.stack, overrides)
        own = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        keys = settings.parse(own, secrets=[])
    return Declared(
        run=run,
        rules=rules_of(run),
        objectives={name: service.objective.of_service() for name, service in keys.services.items()},
        divisor=variant.monitoring.get("windowDivisor", 1),
    )


def rules_of(run: Run) -> Mapping[str, Any]:
    """Return the content of the rule file, or of the PrometheusRule."""
    if run.all("PrometheusRule"):
        spec: Mapping[str, Any] = run.one("PrometheusRule").inputs["spec"]
        return spec
    text = run.one("ConfigMap", "prometheus-config").inputs["data"]["rules.yml"]
    found: Mapping[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


def write_tests(alert: Mapping[str, Any], stack: Declared, folder: Path, rules: Mapping[str, Any]) -> list[Path]:
    """Write the cases of one alert into `folder`, beside the `rules` that they are run against; return the files."""
    name = f"{alert['alert']}-{alert['labels']['severity']}-{alert['labels'].get('service', 'all')}"
    (folder / f"{name}.rules.yml").write_text(to_yaml(rules))
    about = stack.objectives.get(alert["labels"].get("service", ""), Objective())
    files: list[Path] = []
    for tests in promtool_tests(f"{name}.rules.yml", alert, cases(alert, about, stack.divisor)):
        files.append(folder / f"{name}-{len(files)}.yml")
        files[-1].write_text(yaml.dump(tests, Dumper=yaml.CSafeDumper))
    return files


@pytest.mark.slow
@pytest.mark.parametrize("variant", [DEV, DRILL, OTHER], ids=["dev", "drill", "other goals"])
def test_every_alert_of_a_stack_fires_stays_silent_and_resolves(
    variant: Variant, promtool: Path, tmp_path: Path
) -> None:
    stack = declared(variant)
    files = [file for alert in stack.alerts for file in write_tests(alert, stack, tmp_path, stack.alone(alert))]
    assert len(files) >= len(stack.alerts) > 5
    assert not said(promtool, "test", "rules", *files)


@pytest.mark.parametrize("variant", STACKS, ids=lambda variant: variant.stack)
def test_all_stacks_have_the_same_rules_but_for_their_own_names(variant: Variant) -> None:
    found = json.dumps(declared(variant).rules).replace(f'"{variant.stack}"', '"dev"')
    # What the gateway tells, only a Prometheus of the stack's own knows as the stack's.
    shared = [group for group in declared(DEV).rules["groups"] if variant is DEV or group["name"] != "gateway"]
    assert json.loads(found.replace(f"cloudnative-{variant.stack}", "cloudnative-dev")) == {"groups": shared}


def test_an_alert_that_is_not_known_here_has_no_case() -> None:
    alert = {**declared(DEV).alerts[0], "alert": "DiskNearlyFull"}
    with pytest.raises(KeyError, match="DiskNearlyFull"):
        list(cases(alert, Objective(), 1))


def wrongs(alert: Mapping[str, Any], rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield for each thing that can be wrong with one alert, or what it reads, the text that is there and another."""
    expr = alert["expr"]
    for found in re.finditer(r"> ([0-9.]*[1-9][0-9.]*)", expr):
        for factor in (0.7, 1.4):
            yield expr, f"{expr[: found.start()]}> {float(found[1]) * factor}{expr[found.end() :]}"
    for there, instead in ((" and ", " or "), ("== 0", "== 1"), ("== 1", "== 0")):
        for found in re.finditer(there, expr):
            yield expr, f"{expr[: found.start()]}{instead}{expr[found.end() :]}"
    if "for" in alert:
        yield alert["for"], "0s"
        yield alert["for"], "1h"
    for read in (rule["expr"] for group in rules["groups"] for rule in group["rules"] if "record" in rule):
        for factor in (0.5, 2):
            yield read, with_windows(read, factor)


def with_windows(expr: str, factor: float) -> str:
    seconds = {"m": 60, "h": 3600, "d": 86_400}
    return re.sub(r"\[(\d+)([mhd])\]", lambda found: f"[{round(int(found[1]) * seconds[found[2]] * factor)}s]", expr)


# Of the objectives' alerts, which have one shape, one is enough. The names are those of two services that are made up:
# to run the whole program for them would take each process that collects tests a second.
SAME_SHAPE = "LatencyBudgetBurn"
EXAMPLES = monitored_service.rules(SERVICES, signals.ALL, 1, [DATABASE])
SHAPES = sorted({one.name for group in EXAMPLES for one in group.rules if isinstance(one, Alert)} - {SAME_SHAPE})


def test_every_alert_of_a_stack_has_a_shape_that_is_tried() -> None:
    assert {alert["alert"] for alert in declared(DEV).alerts} - {SAME_SHAPE} == set(SHAPES)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_a_rule_with_anything_wrong_is_found_out(name: str, promtool: Path, tmp_path: Path) -> None:
    stack = declared(DEV)
    alert = next(one for one in stack.alerts if one["alert"] == name)  # one service's is enough
    text = json.dumps(stack.alone(alert))
    found = list(wrongs(alert, json.loads(text)))
    assert found
    for there, instead in found:
        old, new = json.dumps(there), json.dumps(instead)
        assert text.count(old) == 1
        files = write_tests(alert, stack, tmp_path, json.loads(text.replace(old, new)))
        assert any("FAILED" in said(promtool, "test", "rules", file) for file in files), instead


@pytest.mark.parametrize("variant", [*STACKS, DRILL, OTHER], ids=lambda variant: variant.stack)
def test_promtool_accepts_the_rules_of_a_stack(variant: Variant, promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(to_yaml(declared(variant).rules))
    assert not said(promtool, "check", "rules", tmp_path / "rules.yml")


def test_promtool_accepts_the_configuration_with_the_rules_beside_it(promtool: Path, tmp_path: Path) -> None:
    files = declared(DEV).run.one("ConfigMap", "prometheus-config").inputs["data"]
    assert not about_config(promtool, files, tmp_path)


@pytest.mark.parametrize("variant", STACKS, ids=lambda variant: variant.stack)
def test_every_alert_says_whom_it_is_about_who_owns_that_and_how_urgent_it_is(variant: Variant) -> None:
    for alert in declared(variant).alerts:
        labels = alert["labels"]
        assert (labels["namespace"], labels["environment"]) == (f"cloudnative-{variant.stack}", variant.stack)
        assert labels["owner"] == "platform"
        assert labels["severity"] in get_args(Severity)
        assert ("service" in labels) == (alert["alert"] not in {"GatewayErrors", "QuotaNearlyUsed"})


def test_an_alert_of_an_objective_says_what_was_measured_and_what_was_promised(promtool: Path, tmp_path: Path) -> None:
    stack = declared(DEV)
    alert = next(one for one in stack.alerts if one["labels"].get("service") == "webapp")
    (group,) = stack.alone(alert)["groups"]
    rules = {"groups": [{**group, "rules": [*group["rules"][:-1], alert]}]}
    series = 'http_requests_total{namespace="cloudnative-dev",service="webapp",status="%s"}'
    expected = {
        "summary": "webapp spends its availability budget too fast",
        "description": (
            "5% of requests are answered with an error, where 99.9 % of requests without a server's error are promised "
            "over 30 days: the budget goes more than 14.4 times (over 1h) or 6 times (over 6h) as fast as it may."
        ),
        "runbook_url": "docs/runbooks.md#availabilitybudgetburn",
    }
    test = {
        "interval": "1m",
        "input_series": [
            {"series": series % "200", "values": "0+95x60"},
            {"series": series % "503", "values": "0+5x60"},
        ],
        "alert_rule_test": [
            {
                "eval_time": "1h",
                "alertname": alert["alert"],
                "exp_alerts": [{"exp_labels": alert["labels"], "exp_annotations": expected}],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
    )
    assert not said(promtool, "test", "rules", tmp_path / "test.yml")
