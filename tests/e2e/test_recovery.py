"""What interrupts an update or changes a stack behind Pulumi's back, and how the stack comes out of it.

The ways out are the ones that README.md describes; what a test here does to recover, a person can do.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import OpType

from local.toolchain import Toolchain
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project, eventually
from tests.e2e.test_faults import configured, stopped

KINDS = (
    "serviceaccounts,configmaps,secrets,services,deployments,statefulsets,jobs,cronjobs,persistentvolumeclaims,"
    "networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,resourcequotas,limitranges,roles,rolebindings,"
    "gateways.gateway.networking.k8s.io,httproutes.gateway.networking.k8s.io,middlewares.traefik.io,"
    "tlsstores.traefik.io"
)
MADE_BY_KUBERNETES = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}


@pytest.fixture
def project(deployed: Deployed) -> Project:
    """The deployed project, which a test here leaves as good as it found it."""
    return deployed.project


def objects(project: Project) -> set[str]:
    """Return all objects in the stack's namespace of the kinds that the program declares."""
    items = project.kubectl("get", KINDS)["items"]
    return {f"{item['kind']}/{item['metadata']['name']}" for item in items} - MADE_BY_KUBERNETES


def declared(project: Project) -> set[str]:
    """Return the objects in the namespace that the stack's state knows."""
    deployment: Any = project.stack.export_stack().deployment
    found = [
        one for one in deployment["resources"] if one["type"].startswith("kubernetes:") and not one.get("external")
    ]
    named = {f"{one['outputs']['kind']}/{one['outputs']['metadata']['name']}" for one in found}
    return {name for name in named if not name.startswith(("Namespace/", "ClusterRole"))}


def pulumi(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """Start a Pulumi command on the stack, in a process group of its own, with its output in a pipe."""
    return subprocess.Popen(
        ["pulumi", *arguments, "--stack=e2e", "--non-interactive", "--color=never"],
        cwd=project.folder,
        env={**project.env, **project.stack.workspace.env_vars},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(project: Project, *arguments: str) -> str:
    """Run a Pulumi command, which has to succeed, and return what it said."""
    process = pulumi(project, *arguments)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    return said


def interrupt(project: Project, after: int, how: signal.Signals) -> int:
    """Run `pulumi up` and send it `how` once it has made `after` objects; return how many it had made at its end."""
    made = 0
    with pulumi(project, "up", "--yes", "--skip-preview") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " created (" in line:
                made += 1
            if made == after:
                os.killpg(process.pid, how)
                after = -1
    # The program that the killed engine had started waits for it for ever.
    subprocess.run(["pkill", "-KILL", "--session", str(process.pid)], check=False)
    return made


def recover(project: Project) -> None:
    """Do what README.md says about an update that was killed."""
    finished(project, "cancel", "--yes")
    finished(project, "refresh", "--yes", "--skip-preview", "--clear-pending-creates")


@pytest.fixture
def fresh(tools: Toolchain, tmp_path: Path) -> Iterator[Project]:
    """A project of its own that was not deployed yet."""
    made = Project(tmp_path, tools, like="dev", namespace="cloudnative-e2e-recovery")
    made.configure({"webapp.replicas": 1})
    yield made
    made.stack.destroy()


def test_an_update_that_is_killed_time_and_again_leaves_no_duplicate_and_no_orphan(
    fresh: Project, figures: Figures
) -> None:
    points = []
    for after in (1, 2, 4, 3, 4):
        points.append(interrupt(fresh, after, signal.SIGKILL))
        recover(fresh)
    points.append(interrupt(fresh, 2, signal.SIGINT))
    fresh.up()
    fresh.stack.preview(expect_no_changes=True)
    assert objects(fresh) == declared(fresh)
    # What the killed updates had made belongs to the stack now, and changes with it.
    fresh.greet("Hello, After The Kill!")
    fresh.configure({"webapp.logLevel": "debug", "monitoring.scrapeIntervalSeconds": 6})
    fresh.up()
    fresh.shows("Hello, After The Kill!")
    fresh.stack.preview(expect_no_changes=True)
    assert objects(fresh) == declared(fresh)
    figures("objects made before each of 5 SIGKILLs and a SIGINT", ", ".join(map(str, points)))


def test_nothing_that_an_update_is_killed_at_leaves_a_state_that_cannot_be_read(project: Project) -> None:
    """A file of metadata beside the state would be written in place; these are written elsewhere, and then renamed."""
    files = [path for path in (project.backend / ".pulumi/stacks").rglob("*") if path.is_file()]
    assert {".json", ".bak"} <= {path.suffix for path in files} <= {".json", ".bak", ".tmp"}


def test_what_was_changed_behind_pulumis_back_is_restored(project: Project, figures: Figures) -> None:
    drift: list[tuple[str, str, dict[str, Any]]] = [
        ("deployment", "webapp", {"spec": {"replicas": 2, "revisionHistoryLimit": 1, "progressDeadlineSeconds": 900}}),
        ("service", "webapp", {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "metrics"}]}}),
        ("networkpolicy", "default-deny", {"spec": {"ingress": [{}], "policyTypes": ["Ingress"]}}),
        ("poddisruptionbudget", "webapp", {"spec": {"maxUnavailable": 3, "unhealthyPodEvictionPolicy": None}}),
        ("resourcequota", "quota", {"spec": {"hard": {"pods": "7"}}}),
        ("role", "prometheus", {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}),
    ]
    fields = [
        ("deployment", "webapp", ("spec", "replicas")),
        ("deployment", "webapp", ("spec", "revisionHistoryLimit")),
        ("deployment", "webapp", ("spec", "progressDeadlineSeconds")),
        ("service", "webapp", ("spec", "ports")),
        ("networkpolicy", "default-deny", ("spec", "ingress")),
        ("networkpolicy", "default-deny", ("spec", "policyTypes")),
        ("poddisruptionbudget", "webapp", ("spec", "maxUnavailable")),
        ("poddisruptionbudget", "webapp", ("spec", "unhealthyPodEvictionPolicy")),
        ("resourcequota", "quota", ("spec", "hard", "pods")),
        ("role", "prometheus", ("rules",)),
    ]

    def read() -> list[Any]:
        found = []
        for kind, name, path in fields:
            value = project.kubectl("get", kind, name)
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            found.append(value)
        return found

    before = read()
    for kind, name, patch in drift:
        project.kubectl("patch", kind, name, "--type=merge", f"--patch={json.dumps(patch)}")
    changed = [now != was for now, was in zip(read(), before, strict=True)]
    assert all(changed), list(zip(fields, changed, strict=True))
    finished(project, "refresh", "--yes", "--skip-preview")
    project.up()
    after = read()
    restored = sum(now == was for now, was in zip(after, before, strict=True))
    figures("fields changed behind Pulumi's back, and restored", f"{len(fields)} of {len(drift)} kinds, {restored}")
    assert after == before
    assert project.changes() == set()


def test_an_autoscalers_number_of_pods_survives_an_update(project: Project, figures: Figures) -> None:
    def deployment() -> dict[str, Any]:
        found: dict[str, Any] = project.kubectl("get", "deployment", "webapp")
        return found

    with configured(project, {"webapp.replicas": 2, "webapp.autoscaling": {"maxReplicas": 5, "cpuPercent": 1}}):
        project.up()
        eventually(
            lambda: deployment()["spec"]["replicas"] == 5 and deployment()["status"].get("readyReplicas") == 5,
            "five pods, since hardly any load is above 1 %",
            seconds=120,
        )
        project.greet("Hello, Autoscaler!")
        project.up()
        project.shows("Hello, Autoscaler!")
        assert deployment()["spec"]["replicas"] == 5
        figures("pods that an autoscaler had made, before and after an update", "5, 5")
    project.up()
    assert deployment()["spec"]["replicas"] == 3


def test_the_second_of_two_updates_at_once_is_refused_and_the_first_completes(project: Project) -> None:
    project.greet("Hello, First Of Two!")
    with pulumi(project, "up", "--yes", "--skip-preview") as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "updating" in line.lower():
                break
        second = pulumi(project, "up", "--yes", "--skip-preview")
        refused, _ = second.communicate(timeout=60)
        rest = first.stdout.read()
    assert second.returncode != 0
    assert "the stack is currently locked" in refused
    assert first.returncode == 0, rest
    project.shows("Hello, First Of Two!")


def test_a_registry_that_is_down_during_a_refresh_costs_nothing(project: Project) -> None:
    before = project.kubectl("get", "deployment", "webapp")["metadata"]["generation"]
    image = project.image("webapp")
    with stopped("registry"):
        process = pulumi(project, "refresh", "--yes", "--skip-preview")
        process.communicate(timeout=180)
        assert project.get().status_code == 200
    assert project.kubectl("get", "deployment", "webapp")["metadata"]["generation"] == before
    assert project.image("webapp") == image
    state: Any = project.stack.export_stack().deployment
    assert [one["type"] for one in state["resources"] if one["type"] == "docker-build:index:Image"]
    project.greet("Hello, Registry!")
    assert project.changes() <= {OpType.UPDATE}
    project.shows("Hello, Registry!")


def test_the_stack_goes_back_to_the_image_that_it_ran_before(project: Project) -> None:
    project.greet("Hello, Good Version!")
    project.up()
    good = project.image("webapp")
    project.greet("Hello, Bad Version!")
    project.up()
    project.shows("Hello, Bad Version!")
    with configured(project, {"webapp.image": good}):
        started = time.monotonic()
        project.up()
        assert time.monotonic() - started < 60
        assert project.image("webapp") == good
        project.shows("Hello, Good Version!")
        project.stack.preview(expect_no_changes=True)
    project.up()
    project.shows("Hello, Bad Version!")
