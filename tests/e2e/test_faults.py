"""What can be wrong around a stack: it is said clearly, costs the last good version nothing, and is over afterwards.

The faults are real: programs of the platform are stopped, files are gone, images are broken. Every test leaves the
stack as it found it, by the `up` that has to converge.
"""

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation

from local import cluster, node
from local.toolchain import Toolchain
from tests.e2e.conftest import Deployed
from tests.e2e.project import Project, eventually

GREETINGS = (f"Hello, Version {count}!" for count in itertools.count(1))


@contextmanager
def stopped(program: str) -> Iterator[None]:
    """Stop one of the platform's programs for the time of the block."""
    node.stop_program(program)
    try:
        yield
    finally:
        node.start_program(program)


@contextmanager
def configured(project: Project, values: dict[str, Any]) -> Iterator[None]:
    """Change the stack's configuration for the time of the block."""
    path = project.folder / "Pulumi.e2e.yaml"
    before = path.read_text()
    project.configure(values)
    try:
        yield
    finally:
        path.write_text(before)


@pytest.fixture
def project(deployed: Deployed) -> Iterator[Project]:
    """The deployed project; afterwards, one good `up` has to bring a new version out and then find nothing to do."""
    yield deployed.project
    greeting = next(GREETINGS)
    deployed.project.greet(greeting)
    deployed.project.up()
    deployed.project.shows(greeting)
    assert deployed.project.changes() == set()


def assert_still_serving(project: Project, page: str) -> None:
    """The page is the one that was served before, but for the pod that serves it."""
    assert _heading(project.page()) == _heading(page)
    deployment = project.kubectl("get", "deployment", "webapp")
    assert deployment["status"]["availableReplicas"] >= deployment["spec"]["replicas"]


def _heading(page: str) -> str:
    return page.split("<h1", 1)[1].split("</h1>", 1)[0]


def test_wrong_configuration_is_refused_with_every_key_before_anything_is_touched(project: Project) -> None:
    state, objects = _resources(project), _declared(project)
    wrong = {
        "webapp.replicas": 0,
        "webapp.port": "eighty",
        "webapp.color": "red",
        "cluster.namespace": "Not_A_Label",
        "registry.address": None,
        "monitoring.kind": "abacus",
    }
    with configured(project, wrong):
        said = project.fails()
    for key in wrong:
        assert f"cloudnative:{key}" in said, key
    for value in ("0", "eighty", "Not_A_Label", "abacus"):
        assert value in said
    assert "Traceback" not in said
    assert _resources(project) == state
    assert _declared(project) == objects


def test_a_registry_that_is_down_stops_the_up_and_nothing_else(project: Project) -> None:
    page = project.page()
    project.greet(next(GREETINGS))
    with stopped("registry"):
        said = project.fails()
        assert_still_serving(project, page)
    assert "connection refused" in said
    assert project.config()["registry"]["address"].split("/")[0] in said


def test_a_builder_that_is_down_stops_the_up_and_nothing_else(project: Project) -> None:
    page = project.page()
    project.greet(next(GREETINGS))
    with stopped("buildkitd"):
        said = project.fails()
        assert_still_serving(project, page)
    assert "the builder 'cloudnative' does not answer" in said


def test_an_api_server_that_is_down_stops_the_up_and_nothing_else(project: Project, tools: Toolchain) -> None:
    page = project.page()
    with stopped("kube-apiserver"):
        said = project.fails()
        assert _heading(project.page()) == _heading(page)
    cluster.wait_for_api(tools)
    assert "unreachable" in said
    assert "6443" in said
    wait_until_new_pods_are_reached(project)


def wait_until_new_pods_are_reached(project: Project) -> None:
    """Wait until a pod that comes to be now gets requests: those that watch the API server ask it again a while later.

    Until then the engine of NetworkPolicies knows no new pod, and a rollout would have nobody reached any more.
    """
    pods = ("get", "pods", "--selector=app.kubernetes.io/name=webapp")
    before = {pod["metadata"]["name"] for pod in project.kubectl(*pods)["items"]}
    project.plain_kubectl("delete", "pod", min(before), f"--namespace={project.namespace}")

    def reached() -> bool:
        answer = project.get("/api/info")
        return answer.is_success and answer.json()["pod"] not in before

    eventually(reached, "a new pod is reached", seconds=180)


def test_a_context_that_does_not_exist_is_named(project: Project) -> None:
    page = project.page()
    with configured(project, {"cluster.context": "nowhere"}):
        said = project.fails()
    assert "nowhere" in said
    assert_still_serving(project, page)


def test_a_kubeconfig_that_does_not_exist_is_named(project: Project, tmp_path: Path) -> None:
    with configured(project, {"cluster.kubeconfig": str(tmp_path / "missing")}):
        said = project.fails()
    assert str(tmp_path / "missing") in said
    assert "cloudnative:cluster.kubeconfig" in said


def test_a_dockerfile_that_fails_says_which_step_did(project: Project) -> None:
    page = project.page()
    file = "app/webapp/Dockerfile"
    project.replace(file, "WORKDIR /app\n", "WORKDIR /app\nCOPY no-such-file /app/\n")
    try:
        said = project.fails()
    finally:
        project.replace(file, "COPY no-such-file /app/\n", "")
    assert "no-such-file" in said
    assert_still_serving(project, page)


def test_what_no_stack_may_do_is_refused_by_the_policy_pack(project: Project) -> None:
    page = project.page()
    file, good, bad = "components/security.py", "allow_privilege_escalation=False", "allow_privilege_escalation=True"
    project.replace(file, good, bad)
    try:
        said = project.fails(policy_packs=["policy"])
    finally:
        project.replace(file, bad, good)
    assert re.search(r"\[mandatory\]  no-privileges  \(kubernetes:(apps|batch)/v1:\w+: ", said)
    assert "securityContext.allowPrivilegeEscalation must be False, found True; set it to False" in said
    assert_still_serving(project, page)


def test_an_image_that_never_becomes_ready_fails_in_time_naming_pod_and_reason(project: Project) -> None:
    page = project.page()
    file, good, bad = "app/chassis/chassis/health.py", "if phase is Phase.READY else", "if False else"
    project.replace(file, good, bad)
    try:
        with configured(project, {"webapp.timeoutSeconds": 20, "catalog.timeoutSeconds": 20}):
            result = _timed_failure(project)
    finally:
        project.replace(file, bad, good)
    assert "webapp-" in result
    assert "unready status: [webapp]" in result
    assert_still_serving(project, page)


def test_what_failed_and_is_taken_back_leaves_all_that_was_declared_before(project: Project) -> None:
    """What a failed update replaced is still to be deleted, and must not be once it is declared again."""
    file, good, bad = "app/chassis/chassis/health.py", "if phase is Phase.READY else", "if False else"
    values = {"catalog.config": {"COLOUR": "blue"}, "webapp.config": {"COLOUR": "blue"}, "catalog.timeoutSeconds": 20}
    before = project.uids("deployments,statefulsets")
    project.replace(file, good, bad)
    try:
        with configured(project, values):
            project.fails()
    finally:
        project.replace(file, bad, good)
    project.up()
    assert project.gone() == []
    assert project.uids("deployments,statefulsets") == before


def test_a_stack_of_one_cluster_refuses_another(project: Project) -> None:
    page = project.page()
    good = project.stack.export_stack()
    other = "00000000-0000-4000-8000-000000000000"
    (record,) = (each for each in _resources(project) if each["urn"].endswith("pulumi:index:Stash::cluster-uid"))
    mine = record["outputs"]["output"]
    moved = automation.Deployment(version=good.version, deployment=_replaced(good.deployment, mine, other))
    project.stack.import_stack(moved)
    objects = _declared(project)
    try:
        said = project.fails()
    finally:
        project.stack.import_stack(good)
    assert other in said
    assert mine in said
    assert _declared(project) == objects
    assert_still_serving(project, page)


def _resources(project: Project) -> list[dict[str, Any]]:
    deployment: Any = project.stack.export_stack().deployment
    resources: list[dict[str, Any]] = deployment.get("resources", [])
    return resources


def _replaced(deployment: Any, old: str, new: str) -> Any:
    return yaml.safe_load(yaml.safe_dump(deployment).replace(old, new))


def _timed_failure(project: Project) -> str:
    """Return what a failing `up` said, which must not take much longer than its 20 s."""
    started = time.monotonic()
    said = project.fails()
    assert time.monotonic() - started < 60
    return said


def _declared(project: Project) -> dict[str, Any]:
    """Return every object that the stack declares in its namespace, without what controllers write beside it."""
    kinds = (
        "configmaps,deployments,limitranges,networkpolicies,poddisruptionbudgets,resourcequotas,roles,rolebindings,"
        "services,serviceaccounts"
    )
    items = project.kubectl("get", kinds, "--selector=app.kubernetes.io/managed-by=pulumi")["items"]
    for item in items:
        # A quota's status counts pods that are just ending, and takes the resource version with it.
        item.pop("status", None)
        del item["metadata"]["resourceVersion"]
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in items}
