"""Backups of a server of the stack's own, and what brings one back."""

import pytest

from components.engines import Postgres
from tests.unit.program.databases import IMAGE, NAME, declared, pods
from tests.unit.program.harness import LABELS, Run


@pytest.fixture(scope="module")
def own() -> Run:
    return declared()


@pytest.mark.parametrize("kind", ["backup", "restore"])
def test_backups_talk_to_the_server_alone_and_nobody_talks_to_them(own: Run, kind: str) -> None:
    spec = own.one("NetworkPolicy", f"{NAME}-{kind}-network").inputs["spec"]
    (rule,) = spec["egress"]
    assert rule["to"] == [{"podSelector": {"matchLabels": dict(LABELS.selector(NAME))}}]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert "ingress" not in spec
    (template,) = [template for name, template in pods(own).items() if f"-{kind}-" in name]
    assert spec["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_a_backup_runs_daily_and_never_beside_another(own: Run) -> None:
    spec = own.one("CronJob", f"{NAME}-backup-job").inputs["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("0 3 * * *", "Etc/UTC", False)
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 3600


def test_a_restore_never_runs_by_itself_and_is_tried_once(own: Run) -> None:
    spec = own.one("CronJob", f"{NAME}-restore-job").inputs["spec"]
    assert spec["suspend"] is True
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize("schedule", ["0 3 * * 1", "*/5 * * * *", "60 3 * * *", "0 24 * * *", "@daily", ""])
def test_a_backup_that_is_not_a_daily_one_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"backup_schedule must be a minute and an hour in cron"):
        Postgres(image=IMAGE, backup_schedule=schedule)
