"""The main job on real parts: from source to a scraped, running service, and away again."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pulumi.automation import OpType

from local import sbom, web
from local.network import NETWORK
from local.toolchain import Toolchain
from tests.e2e.conftest import Deployed
from tests.e2e.project import GREETING, Project, eventually

REPLICAS = 3


def test_the_first_up_makes_everything_and_ends_with_pods_that_serve(deployed: Deployed) -> None:
    changes = set(deployed.first.summary.resource_changes or {})
    assert changes - {OpType.READ} == {OpType.CREATE}
    assert GREETING in deployed.page
    assert deployed.replicas == REPLICAS


def test_what_runs_is_the_digest_that_the_stack_puts_out(deployed: Deployed) -> None:
    image = deployed.project.image("webapp")
    assert re.fullmatch(rf"{NETWORK.registry}/cloudnative-e2e/webapp@sha256:[0-9a-f]{{64}}", image)
    pods = deployed.project.kubectl("get", "pods", "--selector=app.kubernetes.io/name=webapp")["items"]
    running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(running) == REPLICAS
    assert {container["image"] for pod in running for container in pod["spec"]["containers"]} == {image}


def test_the_image_says_what_it_is_made_of(deployed: Deployed) -> None:
    document = json.loads(sbom.of(deployed.first.outputs["images"].value["webapp"]))
    names = {one["name"] for one in document["components"]}
    assert {"Flask", "gunicorn", "python3.11-minimal", "libssl3"} <= names


def test_the_services_are_reached_through_the_gateway_alone(deployed: Deployed) -> None:
    for name in ("webapp", "catalog"):
        spec = deployed.project.kubectl("get", "service", name)["spec"]
        assert spec["type"] == "ClusterIP"
        assert [(port["port"], port["targetPort"]) for port in spec["ports"]] == [(80, "http")]
    assert deployed.first.outputs["url"].value == f"https://{deployed.project.namespace}.test"


def test_requests_reach_every_replica(deployed: Deployed) -> None:
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.add(deployed.project.get("/api/info").json()["pod"])
        return len(seen) == REPLICAS

    eventually(all_seen, "an answer of every replica")


def test_the_second_up_changes_nothing(deployed: Deployed) -> None:
    deployed.project.stack.preview(expect_no_changes=True)
    assert deployed.project.changes() == set()


def test_prometheus_has_all_replicas_as_healthy_targets_and_their_counter(deployed: Deployed) -> None:
    def targets() -> list[tuple[str, str]]:
        active = deployed.project.get("/prometheus/api/v1/targets?state=active").json()["data"]["activeTargets"]
        return sorted(
            (target["labels"]["pod"], target["health"]) for target in active if target["labels"]["job"] == "webapp"
        )

    pods = deployed.project.kubectl("get", "pods", "--selector=app.kubernetes.io/name=webapp")["items"]
    names = sorted(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    eventually(lambda: targets() == [(name, "up") for name in names], "each replica, and nothing else, as a target")

    def requests() -> float:
        query = 'sum(http_requests_total{service="webapp",route="/",status="200"})'
        result = deployed.project.get("/prometheus/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else 0

    before = requests()
    for _ in range(20):
        deployed.project.page()
    eventually(lambda: requests() >= before + 20, "20 requests more in the app's own counter")


def test_a_changed_line_shows_in_the_preview_and_reaches_the_url(deployed: Deployed) -> None:
    project = deployed.project
    project.greet("Hello, Line!")
    project.up()
    project.shows("Hello, Line!")
    before = project.image("webapp")
    project.greet("Hello, Changed Line!")
    preview = project.stack.preview(diff=True, color="never")
    assert preview.change_summary.get(OpType.UPDATE, 0) >= 1
    assert "deployment/webapp" in preview.stdout.lower() or "webapp-deployment" in preview.stdout
    assert "Hello, Line!" in project.page(), "a preview must change nothing"
    project.up()
    project.shows("Hello, Changed Line!")
    assert project.image("webapp") != before


def test_a_changed_value_of_the_config_rolls_the_pods(deployed: Deployed) -> None:
    project = deployed.project
    project.configure({"webapp.replicas": 2, "webapp.logLevel": "warning"})
    project.up()
    deployment = project.kubectl("get", "deployment", "webapp")
    assert deployment["status"]["readyReplicas"] == 2
    project.configure({"webapp.replicas": REPLICAS, "webapp.logLevel": "info"})
    project.up()


def test_a_stack_for_the_operator_deploys_and_destroy_leaves_nothing(
    operator: None, tools: Toolchain, tmp_path: Path
) -> None:
    project = Project(tmp_path, tools, like="staging", namespace="cloudnative-e2e-operator")
    project.configure({"webapp.replicas": 1, "catalog.database.droppable": True})
    try:
        result = project.up()
        assert GREETING in project.page()
        assert "prometheus_url" not in result.outputs
        monitors = project.kubectl("get", "servicemonitors")["items"]
        assert len(monitors) == 2
        for monitor in monitors:
            (endpoint,) = monitor["spec"]["endpoints"]
            services = project.kubectl("get", "services", f"--selector={_selector(monitor)}")["items"]
            assert [port["name"] for service in services for port in service["spec"]["ports"]] == [endpoint["port"]]
        ca = result.outputs["ca_certificate"].value
    finally:
        project.stack.destroy()
    deployment: Any = project.stack.export_stack().deployment
    assert deployment.get("resources", []) == []
    with pytest.raises(AssertionError, match="not found"):
        project.kubectl("get", "namespace", project.namespace)
    with web.client(ca) as client, pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        client.get(f"https://{project.namespace}.test")


def _selector(monitor: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    return ",".join(f"{name}={value}" for name, value in monitor["spec"]["selector"]["matchLabels"].items())
