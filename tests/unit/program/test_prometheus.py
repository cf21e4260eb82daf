"""The stack's own Prometheus."""

from typing import Any

import pulumi
import pytest
import yaml

from components.prometheus import Prometheus, PrometheusArgs
from components.scrape_config import ScrapeTarget
from tests.unit.program.harness import ADDRESS, LABELS, Run, run

TARGET = ScrapeTarget(
    name="webapp",
    service="webapp-metrics",
    selector={"name": "webapp"},
    pods={"name": "webapp"},
    ports=["metrics"],
    port="metrics",
)


def args(**changes: Any) -> PrometheusArgs:
    return PrometheusArgs(
        **{
            "namespace": "cloudnative-dev",
            "labels": LABELS,
            "image": "base/prometheus:3",
            "targets": [TARGET],
            "scrape_interval_seconds": 5,
            "retention": "1d",
            "service_type": "LoadBalancer",
            "api_server": ["10.90.0.1/32"],
            **changes,
        }
    )


def server(**changes: Any) -> Run:
    def declare() -> None:
        pulumi.export("url", Prometheus("prometheus", args(**changes)).url)

    return run(declare)


@pytest.fixture(scope="module")
def prometheus() -> Run:
    return server()


@pytest.fixture
def pod(prometheus: Run) -> dict[str, Any]:
    spec: dict[str, Any] = prometheus.one("Deployment").inputs["spec"]["template"]["spec"]
    return spec


def test_it_reads_the_configuration_that_is_rendered_from_the_targets(prometheus: Run, pod: dict[str, Any]) -> None:
    config = yaml.safe_load(prometheus.one("ConfigMap").inputs["data"]["prometheus.yml"])
    assert [job["job_name"] for job in config["scrape_configs"]] == ["webapp"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "config")
    assert volume["configMap"] == {"name": prometheus.one("ConfigMap").inputs["metadata"]["name"]}
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "config")
    assert f"--config.file={mount['mountPath']}/prometheus.yml" in pod["containers"][0]["args"]


def test_a_changed_configuration_rolls_the_server(prometheus: Run) -> None:
    names = {run.one("ConfigMap").inputs["metadata"]["name"] for run in (prometheus, server(scrape_interval_seconds=6))}
    assert len(names) == 2


def test_its_rights_are_to_look_up_the_pods_of_its_own_namespace_and_no_more(prometheus: Run) -> None:
    assert not prometheus.all("ClusterRole")
    assert not prometheus.all("ClusterRoleBinding")
    assert prometheus.one("Role").inputs["metadata"]["namespace"] == "cloudnative-dev"
    assert prometheus.one("Role").inputs["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list", "watch"]},
    ]


def test_the_rights_are_bound_to_the_servers_account_alone(prometheus: Run, pod: dict[str, Any]) -> None:
    binding = prometheus.one("RoleBinding").inputs
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "prometheus"}
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": "cloudnative-dev"}
    ]


def test_it_talks_to_what_it_scrapes_and_to_the_api_server_alone(prometheus: Run) -> None:
    rules = prometheus.one("NetworkPolicy").inputs["spec"]["egress"]
    assert [rule["to"] for rule in rules] == [
        [{"podSelector": {"matchLabels": {"name": "webapp"}}}],
        [{"ipBlock": {"cidr": "10.90.0.1/32"}}],
    ]
    assert [[port["port"] for port in rule["ports"]] for rule in rules] == [["metrics"], [443, 6443]]


def test_only_the_servers_pod_gets_a_token(prometheus: Run, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is True
    assert prometheus.one("ServiceAccount").inputs["automountServiceAccountToken"] is False


def test_the_service_selects_exactly_the_deployments_pods(prometheus: Run) -> None:
    deployment = prometheus.one("Deployment").inputs["spec"]
    selector = prometheus.one("Service").inputs["spec"]["selector"]
    assert selector == deployment["selector"]["matchLabels"]
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()


def test_there_is_never_more_than_one_server(prometheus: Run) -> None:
    deployment = prometheus.one("Deployment").inputs["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_the_data_cannot_outgrow_its_volume(pod: dict[str, Any]) -> None:
    data = next(volume for volume in pod["volumes"] if volume["name"] == "data")
    assert data["emptyDir"] == {"sizeLimit": "1Gi"}
    assert "--storage.tsdb.retention.size=800MB" in pod["containers"][0]["args"]


def test_retention_reaches_the_server() -> None:
    (container,) = server(retention="12h").one("Deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert "--storage.tsdb.retention.time=12h" in container["args"]


def test_nothing_can_change_or_stop_the_server_over_http(pod: dict[str, Any]) -> None:
    flags = " ".join(pod["containers"][0]["args"])
    assert "--web.enable-lifecycle" not in flags
    assert "--web.enable-admin-api" not in flags


@pytest.mark.parametrize(
    ("service_type", "url"),
    [("LoadBalancer", f"http://{ADDRESS}:9090"), ("ClusterIP", "http://prometheus.cloudnative-dev.svc:9090")],
)
def test_the_url_follows_from_the_services_type(service_type: str, url: str) -> None:
    assert server(service_type=service_type).exports["url"] == url


def test_pull_secrets_are_given_to_the_service_account() -> None:
    assert server(pull_secrets=["r"]).one("ServiceAccount").inputs["imagePullSecrets"] == [{"name": "r"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "prometheus:latest"}, "image must be an image with a digest or a tag"),
        ({"targets": []}, "targets must name at least one service"),
        ({"api_server": []}, "api_server must name at least one network"),
        ({"source_ranges": ["10.0.0.1/8"]}, "source_ranges must be a list of at least 1 network"),
    ],
    ids=["image", "targets", "api_server", "source_ranges"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)
