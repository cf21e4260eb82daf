"""The migration of a database: which Job it is, what it may do, and that new pods come after it."""

from typing import Any

import pulumi
import pytest

from components.connection import Connection, Files
from components.labels import Labels
from components.migration import Migration, MigrationArgs, demand
from components.network import Flow, Peer
from components.resources import Resources
from policy.rules import RULES
from tests.unit.program.harness import LABELS, Run, run

IMAGE = "registry.example.com/catalog@sha256:" + "a1" * 32
RESOURCES = Resources(
    cpu_request="10m",
    cpu_limit="200m",
    memory_request="32Mi",
    memory_limit="64Mi",
    ephemeral_storage_request="16Mi",
    ephemeral_storage_limit="32Mi",
)


SECRET = "catalog-database-connection-1a2b3c4d"


def connection(secret: str = SECRET) -> Connection:
    return Connection(
        owner="catalog",
        files=[Files(secret=secret, names=["host", "password"])],
        flow=Flow(peer=Peer(pods=LABELS.selector("catalog-database")), ports=[5432]),
    )


def declared(**changed: Any) -> Run:
    args: dict[str, Any] = {
        "namespace": "shop",
        "labels": LABELS,
        "image": IMAGE,
        "command": ["/usr/bin/python3", "-m", "catalog.migrate"],
        "connection": connection(),
        "resources": RESOURCES,
        "config": {"LOG_LEVEL": "info"},
        **changed,
    }

    def declare() -> None:
        Migration("catalog-migration", MigrationArgs(**args))

    return run(declare)


@pytest.fixture(scope="module")
def migration() -> Run:
    return declared()


def name(result: Run) -> str:
    found: str = result.one("Job").inputs["metadata"]["name"]
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {"image": IMAGE.replace("a1", "b2")},
        {"command": ["/usr/bin/python3", "-m", "catalog.other"]},
        {"command": ["/usr/bin/python3 -m catalog.migrate"]},
        {"config": {}},
        {"connection": connection("another")},
    ],
    ids=str,
)
def test_another_content_is_another_job_and_the_same_is_the_same(migration: Run, changed: dict[str, Any]) -> None:
    assert name(declared()) == name(migration)
    assert name(declared(**changed)) != name(migration)
    assert len(name(migration)) <= 63


def test_an_image_that_is_known_late_makes_the_same_job(migration: Run) -> None:
    late = declared(image=pulumi.Output.from_input(IMAGE))
    assert name(late) == name(migration)


def test_a_migration_that_failed_is_tried_anew_by_the_next_update(migration: Run) -> None:
    assert migration.one("Job").inputs["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"


def test_the_job_says_what_went_wrong_before_the_update_gives_up() -> None:
    job = declared(timeout_seconds=60).one("Job")
    assert job.inputs["spec"]["activeDeadlineSeconds"] == 60
    assert job.timeouts == ("90s", "90s")
    (container,) = job.inputs["spec"]["template"]["spec"]["containers"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_nothing_takes_a_finished_job_away(migration: Run) -> None:
    assert "ttlSecondsAfterFinished" not in migration.one("Job").inputs["spec"]


def test_no_service_selects_its_pod_and_its_policy_does(migration: Run) -> None:
    labels = migration.one("Job").inputs["spec"]["template"]["metadata"]["labels"]
    assert not LABELS.selector("catalog").items() <= labels.items()
    spec = migration.one("NetworkPolicy").inputs["spec"]
    assert spec["podSelector"]["matchLabels"] == dict(LABELS.selector("catalog-migration"))
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()


def test_its_pod_talks_to_the_database_alone_and_nobody_to_it(migration: Run) -> None:
    spec = migration.one("NetworkPolicy").inputs["spec"]
    assert "ingress" not in spec
    (rule,) = spec["egress"]
    assert rule["to"] == [{"podSelector": {"matchLabels": dict(LABELS.selector("catalog-database"))}}]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]


def test_its_pod_is_hardened(migration: Run) -> None:
    pod = migration.one("Job").inputs["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] > 10000
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for made in migration.resources:
        for rule in RULES:
            assert not list(rule.problems(made.type, made.inputs)), made.name


def test_it_finds_the_connection_and_its_variables(migration: Run) -> None:
    pod = migration.one("Job").inputs["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["/usr/bin/python3", "-m", "catalog.migrate"]
    assert container["env"] == [{"name": "LOG_LEVEL", "value": "info"}]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == mounts["/run/secrets/database"]]
    (source,) = volume["projected"]["sources"]
    assert source["secret"]["name"] == SECRET


def test_the_quota_is_asked_for_its_pod() -> None:
    assert demand("catalog", RESOURCES).pods == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"command": []}, "command must have at least 1 word"),
        ({"timeout_seconds": 5}, "timeout_seconds must be from 10 to 86400, found 5"),
        ({"config": {"NO-NAME": ""}}, "config must be letters, digits and underscores"),
    ],
)
def test_what_cannot_run_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        declared(**changed)


def test_it_belongs_to_the_stack() -> None:
    other = Labels(part_of="shop", instance="shop-dev", owner="team", environment="dev")
    assert declared(labels=other).one("Job").inputs["metadata"]["labels"]["app.kubernetes.io/instance"] == "shop-dev"
