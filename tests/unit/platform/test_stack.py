"""What the make targets do with a stack: which image it goes back to, and how its manifests are laid out."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.stack import PROJECT, arranged, deployed, for_rendering, targets_up


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return a backend whose stack `dev` was updated to a, then failed at b, was refreshed, and updated to c."""
    folder = tmp_path / ".pulumi" / "history" / PROJECT / "dev"
    folder.mkdir(parents=True)
    updates = [
        ("1", "update", "succeeded", "a"),
        ("2", "update", "failed", "b"),
        ("3", "refresh", "succeeded", "a"),
        ("4", "update", "succeeded", "c"),
        ("5", "destroy", "succeeded", None),
    ]
    for number, kind, result, image in updates:
        (folder / f"dev-{number}.history.json").write_text(json.dumps({"kind": kind, "result": result}))
        stack = {"type": "pulumi:pulumi:Stack", "outputs": {"images": {"webapp": image}}}
        latest = {"resources": [stack]} if image else {}
        (folder / f"dev-{number}.checkpoint.json").write_text(json.dumps({"checkpoint": {"latest": latest}}))
    return tmp_path


def test_what_updates_that_succeeded_deployed_is_found_the_newest_first(history: Path) -> None:
    assert deployed(history, "dev", "webapp") == ["c", "a"]


def test_a_stack_that_was_never_updated_has_deployed_nothing(history: Path) -> None:
    assert deployed(history, "prod", "webapp") == []


def test_rendering_changes_where_objects_go_and_how_they_are_named_and_nothing_else() -> None:
    source = {"encryptionsalt": "v1:x", "config": {"cloudnative:cluster": {"context": "c"}, "cloudnative:owner": "o"}}
    assert for_rendering(source, Path("/out")) == {
        "encryptionsalt": "v1:x",
        "config": {
            "cloudnative:cluster": {"context": "c", "renderTo": "/out"},
            "cloudnative:owner": "o",
            "pulumi:autonaming": {"mode": "verbatim"},
        },
    }
    assert "renderTo" not in source["config"]["cloudnative:cluster"]  # type: ignore[index]  # the stack's own is as it was


def test_manifests_stand_in_the_order_in_which_they_have_to_be_there_and_without_secrets(tmp_path: Path) -> None:
    kinds = ["Service", "Secret", "Deployment", "ServiceAccount", "Namespace", "NetworkPolicy"]
    (tmp_path / "in").mkdir()
    for index, kind in enumerate(kinds):
        body: dict[str, Any] = {"kind": kind, "metadata": {"name": "webapp"}}
        (tmp_path / "in" / f"{index}.yaml").write_text(yaml.safe_dump(body))
    written = arranged(tmp_path / "in", tmp_path / "out")
    assert [file.name for file in written] == [
        "00-namespace-webapp.yaml",
        "01-networkpolicy-webapp.yaml",
        "02-serviceaccount-webapp.yaml",
        "03-deployment-webapp.yaml",
        "04-service-webapp.yaml",
    ]
    assert yaml.safe_load(written[0].read_text())["kind"] == "Namespace"


def target(pool: str, health: str) -> dict[str, str]:
    return {"scrapePool": pool, "health": health}


def test_of_the_operators_prometheus_only_the_targets_of_the_stacks_own_monitors_count() -> None:
    shop, other = "serviceMonitor/shop/webapp/0", "serviceMonitor/shop-e2e/webapp/0"
    active = [target(shop, "up"), target(shop, "down"), target(other, "up"), target("serviceMonitor/kubelet/0", "down")]
    said = {"data": {"activeTargets": active}}
    assert targets_up(said, "shop") == (1, 2)
    assert targets_up(said, "shop-prod") == (0, 0)
    assert targets_up(said) == (2, 4)
