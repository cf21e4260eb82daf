"""Wrong configurations are refused by the real `pulumi up`, which then has written nothing anywhere.

There are many more of them, in process, in tests/unit/program/test_bad_config.py.
"""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings

from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project, eventually
from tests.wrong_configs import KINDS, Wrong, wrong


def one_of_each_kind(valid: Mapping[str, Any]) -> list[Wrong]:
    """Return a wrong configuration for each way of being wrong, the same ones in every run."""
    found: dict[str, Wrong] = {}

    @settings(max_examples=100, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
    @given(wrong(valid))
    def make(case: Wrong) -> None:
        found[case.kind] = case

    make()
    return list(found.values())


@pytest.fixture
def project(deployed: Deployed) -> Project:
    """The deployed project, at rest: up to date, and with no pod that is about to go."""
    deployed.project.up()
    eventually(lambda: at_rest(deployed.project), "the end of the last rollout's pods", seconds=60)
    return deployed.project


def at_rest(project: Project) -> bool:
    """Tell whether no pod is about to go, and the quota's count of pods has come after them."""
    pods = project.kubectl("get", "pods")["items"]
    (quota,) = project.kubectl("get", "resourcequotas")["items"]
    ending = any("deletionTimestamp" in pod["metadata"] for pod in pods)
    # Those that have ended by themselves, such as a migration's, take nothing of the quota any more.
    running = [pod for pod in pods if pod["status"]["phase"] not in {"Succeeded", "Failed"}]
    return not ending and int(quota["status"]["used"]["pods"]) == len(running)


def versions(project: Project) -> dict[str, str]:
    """Return the version that the API server has of each object in the namespace; any write makes it another."""
    objects = [project.kubectl("get", "namespace", project.namespace), *project.objects(but=EVENTS)]
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in objects
        if "resourceVersion" in one["metadata"]  # metrics are measured at the question, and kept nowhere
    }


EVENTS = {"events", "events.events.k8s.io"}
"""Kinds of objects that tell what happened; others' doing, and none of the program's."""


def state(project: Project) -> Any:
    """Return what the engine has recorded."""
    deployment: Any = project.stack.export_stack().deployment
    return deployment["resources"]


def test_a_wrong_configuration_is_refused_and_nothing_is_written(project: Project, figures: Figures) -> None:
    path = project.folder / "Pulumi.e2e.yaml"
    good = path.read_text()
    engines = {key: value for key, value in project.config().items() if ":" in key}
    cases = one_of_each_kind({key: value for key, value in project.config().items() if key not in engines})
    assert len(cases) == len(KINDS)
    objects, recorded = versions(project), state(project)
    try:
        for case in cases:
            config = {**engines, **{f"cloudnative:{key}": value for key, value in case.values.items()}}
            path.write_text(yaml.safe_dump({**yaml.safe_load(good), "config": config}))
            said = project.fails()
            assert case.path in said, case
            assert "Traceback" not in said
            assert versions(project) == objects, case
            assert state(project) == recorded, case
    finally:
        path.write_text(good)
    figures("wrong configurations that pulumi up refused, with 0 objects written", len(cases))


def test_what_one_right_change_writes_is_seen(project: Project) -> None:
    before = versions(project)
    pods = project.config().get("quota", {}).get("pods", 50)
    project.configure({"quota": {"pods": pods + 1}})
    try:
        project.up()
        after = versions(project)
    finally:
        project.configure({"quota": None})
        project.up()
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"ResourceQuota/quota"}
