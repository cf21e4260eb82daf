"""The alerts of a database of the stack's own: when each of them fires, and when it is over."""

from pathlib import Path

import pytest
import yaml

from components import alerts
from components.objective import Objective
from components.rules import rule_file
from tests.unit.program.databases import NAME
from tests.unit.program.promtool import said
from tests.unit.program.rule_cases import cases, promtool_tests

GROUP = alerts.of_database(NAME, namespace="cloudnative-dev", owner="catalog")


@pytest.mark.parametrize("alert", [rule.name for rule in GROUP.rules])
def test_its_alerts_fire_stay_silent_and_resolve(alert: str, promtool: Path, tmp_path: Path) -> None:
    content = rule_file([GROUP], labels={}, runbooks="docs/runbooks.md")
    (rule,) = [rule for rule in content["groups"][0]["rules"] if rule["alert"] == alert]
    del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    (tests,) = promtool_tests("rules.yml", rule, cases(rule, Objective(), 1))
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    assert not said(promtool, "test", "rules", tmp_path / "test.yml")


def test_a_backup_that_never_was_is_missed_from_a_day_after_the_cronjob_was_made(
    promtool: Path, tmp_path: Path
) -> None:
    content = rule_file([GROUP], labels={}, runbooks="docs/runbooks.md")
    (rule,) = [rule for rule in content["groups"][0]["rules"] if rule["alert"] == "BackupMissed"]
    del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    labels = {"namespace": "cloudnative-dev", "cronjob": f"{NAME}-backup"}
    series = "kube_cronjob_created{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
    fires = [{"exp_labels": {**labels, **rule["labels"]}}]
    test = {
        "interval": "1h",
        "input_series": [{"series": series, "values": "0x30"}],
        "alert_rule_test": [
            {"eval_time": "26h", "alertname": "BackupMissed", "exp_alerts": []},
            {"eval_time": "27h", "alertname": "BackupMissed", "exp_alerts": fires},
        ],
    }
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]})
    )
    assert not said(promtool, "test", "rules", tmp_path / "test.yml")
