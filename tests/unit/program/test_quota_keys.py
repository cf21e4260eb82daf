"""The keys of the quota, held against what all workloads ask for together."""

from typing import Any

import pytest

import settings
from tests.unit.program.configurations import (
    CLOUD_NATIVE_PG,
    DATABASE_PASSWORD,
    MANAGED,
    VALID,
    changed,
    parsed,
    problem,
)


@pytest.fixture
def two_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the settings know of no services but two, so that what all ask for together does not change with the map."""
    monkeypatch.setattr(settings, "_FIELDS", {"catalog": "catalog", "webapp": "webapp"})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "quota.pods",
            17,
            (
                "pods 18 (catalog 6, webapp 6, catalog-database 1, catalog-database-backup 2, catalog-migration 1, "
                "prometheus 1, alertmanager 1), found 17"
            ),
        ),
        (
            "quota.cpu",
            "770m",
            (
                "cpu 0.78 (catalog 0.3, webapp 0.3, catalog-database 0.05, catalog-database-backup 0.02, "
                "catalog-migration 0.05, prometheus 0.05, alertmanager 0.01), found 770m"
            ),
        ),
        (
            "quota.memory",
            "1503Mi",
            (
                "memory 1504Mi (catalog 576Mi, webapp 576Mi, catalog-database 64Mi, catalog-database-backup 64Mi, "
                "catalog-migration 96Mi, prometheus 96Mi, alertmanager 32Mi), found 1503Mi"
            ),
        ),
        (
            "quota.ephemeralStorage",
            "735Mi",
            (
                "ephemeral_storage 736Mi (catalog 192Mi, webapp 192Mi, catalog-database 16Mi, catalog-database-backup "
                "32Mi, catalog-migration 32Mi, prometheus 256Mi, alertmanager 16Mi), found 735Mi"
            ),
        ),
        ("webapp.replicas", 30, "pods 72 (catalog 6, webapp 60, "),
        ("webapp.autoscaling", {"maxReplicas": 30}, "pods 72 (catalog 6, webapp 60, "),
        ("catalog.replicas", 30, "pods 72 (catalog 60, webapp 6, "),
        (
            "catalog.database",
            {**CLOUD_NATIVE_PG, "instances": 9},
            "pods 25 (catalog 6, webapp 6, catalog-database 10, catalog-migration 1, prometheus 1, alertmanager 1)",
        ),
    ],
)
@pytest.mark.usefixtures("two_services")
def test_a_quota_without_room_for_a_rollout_of_everything_is_refused(path: str, value: Any, said: str) -> None:
    values = changed(path, value)
    # So that there is too little room for what has none in the whole of the default.
    values.setdefault("quota", {} if "replicas" in path or "autoscaling" in path else {"pods": 24})
    line = problem(values)
    assert line.startswith("quota must hold what all services ask for at most")
    assert said in line


@pytest.mark.usefixtures("two_services")
def test_exactly_the_room_that_is_needed_is_accepted() -> None:
    quota = {"pods": 18, "cpu": "780m", "memory": "1504Mi", "ephemeralStorage": "736Mi"}
    assert parsed({**VALID, "quota": quota}).quota.pods == 18


@pytest.mark.usefixtures("two_services")
def test_a_database_that_somebody_else_runs_asks_for_no_room() -> None:
    values = {**changed("catalog.database", MANAGED), "quota": {"pods": 15}, DATABASE_PASSWORD: "hush"}
    assert parsed(values, DATABASE_PASSWORD).quota.pods == 15
    line = problem({**values, "quota": {"pods": 14}}, DATABASE_PASSWORD)
    assert "pods 15 (catalog 6, webapp 6, catalog-migration 1, prometheus 1, alertmanager 1), found 14" in line
