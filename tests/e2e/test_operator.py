"""What a cluster with the Prometheus Operator sees of a stack that leaves monitoring to it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from local.cluster import monitoring
from local.toolchain import Toolchain
from services import SERVICES
from tests.e2e.conftest import Figures
from tests.e2e.project import Project, eventually, get

REPLICAS = 2


@pytest.fixture(scope="module")
def operated(operator: None, tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A stack like staging, deployed, with a number of pods that stays."""
    folder = tmp_path_factory.mktemp("operated")
    project = Project(folder, tools, like="staging", namespace="cloudnative-e2e-operated")
    replicas = {f"{service.name}.replicas": REPLICAS for service in SERVICES}
    project.configure({**replicas, "webapp.autoscaling": None, "catalog.database.droppable": True})
    project.up()
    yield project
    project.stack.destroy()


def query(expression: str) -> list[dict[str, Any]]:
    """Return what the operator's Prometheus answers to a PromQL expression; nothing while it does not answer."""
    url = f"{monitoring.url('prometheus')}/api/v1/query"
    try:
        answer = httpx.get(url, params={"query": expression}, timeout=5, trust_env=False)
    except httpx.TransportError:
        return []
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
    return found


def pods(project: Project) -> list[str]:
    """Return the names of the services' pods."""
    names = ",".join(service.name for service in SERVICES)
    found = project.kubectl("get", "pods", f"--selector=app.kubernetes.io/name in ({names})")["items"]
    return sorted(pod["metadata"]["name"] for pod in found)


def test_every_pod_of_the_stack_is_a_target_of_the_operators_prometheus_and_up(operated: Project) -> None:
    prometheus = monitoring.url("prometheus")

    def targets() -> list[tuple[str, str]]:
        active = get(f"{prometheus}/api/v1/targets?state=active").json()["data"]["activeTargets"]
        own = [target for target in active if target["labels"]["namespace"] == operated.namespace]
        return sorted((target["labels"]["pod"], target["health"]) for target in own)

    expected = [(name, "up") for name in pods(operated)]
    eventually(lambda: targets() == expected, "each pod, and nothing else, as a target that is up", seconds=60)
    assert len(expected) == REPLICAS * len(SERVICES)


@pytest.mark.parametrize(
    "metric",
    [
        "kube_pod_status_ready",
        "container_cpu_cfs_periods_total",
        "container_cpu_cfs_throttled_periods_total",
        "container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes",
        "container_spec_memory_limit_bytes",
    ],
)
def test_what_the_cluster_measures_of_the_stacks_pods_is_known_by_their_names(operated: Project, metric: str) -> None:
    selector = f'{metric}{{namespace="{operated.namespace}", container!=""}}'
    if metric.startswith("kube_"):
        selector = f'{metric}{{namespace="{operated.namespace}", condition="true"}}'

    def known() -> list[str]:
        return sorted(sample["metric"]["pod"] for sample in query(selector))

    # Samples of pods that ended a moment ago may still be there.
    eventually(lambda: set(known()) >= set(pods(operated)), f"{metric} of each pod", seconds=60)


def test_the_operators_prometheus_knows_its_alertmanager(operated: Project) -> None:
    prometheus = monitoring.url("prometheus")

    def known() -> int:
        return len(get(f"{prometheus}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"])

    eventually(lambda: known() == 1, "one Alertmanager")
    assert get(f"{monitoring.url('alertmanager')}/-/ready").is_success


def test_the_operators_prometheus_evaluates_every_rule_of_the_stack(operated: Project, figures: Figures) -> None:
    (declared,) = operated.kubectl("get", "prometheusrules")["items"]
    groups = {group["name"]: len(group["rules"]) for group in declared["spec"]["groups"]}

    def evaluated() -> dict[str, int]:
        known = get(f"{monitoring.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
        own = [group for group in known if operated.namespace in group["file"]]
        return {group["name"]: sum(rule["health"] == "ok" for rule in group["rules"]) for group in own}

    eventually(lambda: evaluated() == groups, "each rule, and a good evaluation of it", seconds=120)
    figures("rules that the operator's Prometheus evaluates", sum(groups.values()))


def test_the_operators_alertmanager_routes_the_alerts_of_the_stack_and_of_no_other(operated: Project) -> None:
    def routed() -> list[str]:
        said = get(f"{monitoring.url('alertmanager')}/api/v2/status").json()["config"]["original"]
        routes = yaml.safe_load(said)["route"].get("routes", [])
        return [matcher for route in routes for matcher in route["matchers"] if operated.namespace in matcher]

    eventually(lambda: routed() == [f'namespace="{operated.namespace}"'], "a route of the stack's", seconds=120)


def test_every_query_of_the_dashboard_has_an_answer_of_the_operators_prometheus(
    operated: Project, figures: Figures
) -> None:
    found = operated.kubectl("get", "configmaps", "--selector=grafana_dashboard=1")["items"]
    dashboards = {name: json.loads(text) for one in found for name, text in one["data"].items()}
    assert dashboards.keys() >= {f"{service.name}.json" for service in SERVICES}
    panels = [panel for dashboard in dashboards.values() for panel in dashboard["panels"]]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(queries) > 10 * len(SERVICES)

    def silent() -> list[str]:
        for _ in range(20):
            operated.page()
        return [one for one in queries if not query(one)]

    eventually(lambda: silent() == [], "an answer to each query", seconds=180)
    figures("queries of the Grafana dashboard, all with an answer", len(queries))
