"""The whole program, with the configuration of each of the three stacks."""

import ast
from pathlib import Path
from typing import Any

import pulumi
import pytest

from settings import SettingsError
from tests.unit.program.harness import ADDRESS, DIGEST, ROOT, Cloud, Run, image_lock, plain_texts, run_stack

STACKS = ("dev", "staging", "prod")


@pytest.fixture
def overrides(certificates: Path, tmp_path: Path) -> dict[str, Any]:
    """Return what of a stack's configuration is about the machine rather than the stack."""
    return {"build": {"caCertificates": str(certificates)}, **image_lock(tmp_path)}


@pytest.fixture
def dev(overrides: dict[str, Any]) -> Run:
    return run_stack("dev", overrides)


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_exports_url_image_and_namespace(stack: str, overrides: dict[str, Any]) -> None:
    exports = run_stack(stack, overrides).exports
    for name in ("prometheus_url", "dashboard_url", "alertmanager_url"):
        exports.pop(name, None)
    assert exports == {
        "url": f"http://{ADDRESS}",
        "images": {"webapp": f"10.90.0.1:5000/webapp@{DIGEST}"},
        "namespace": f"cloudnative-{stack}",
    }


def test_dev_runs_a_prometheus_and_an_alertmanager_of_its_own(dev: Run) -> None:
    assert dev.exports["prometheus_url"] == f"http://{ADDRESS}:9090"
    assert dev.exports["dashboard_url"] == f"http://{ADDRESS}:9090/consoles/services.html"
    assert dev.exports["alertmanager_url"] == f"http://{ADDRESS}:9093"
    assert dev.all("Prometheus")
    assert dev.all("Alertmanager")
    assert not [made for made in dev.resources if "monitoring.coreos.com" in made.type]


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_are_scraped_by_the_clusters_operator(stack: str, overrides: dict[str, Any]) -> None:
    result = run_stack(stack, overrides)
    for kind in ("ServiceMonitor", "PrometheusRule", "AlertmanagerConfig"):
        assert result.one(kind).inputs["metadata"]["labels"]["release"] == "prometheus"
    assert not result.all("Prometheus")
    assert not result.all("Alertmanager")
    assert not [name for name in result.exports if name.startswith(("prometheus", "alertmanager", "dashboard"))]


def test_dev_is_the_example_that_the_project_comes_from(dev: Run) -> None:
    deployment = dev.one("Deployment", "webapp-deployment").inputs["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    service = dev.one("Service", "webapp-service").inputs["spec"]
    assert (deployment["replicas"], container["ports"][0]["containerPort"]) == (3, 8080)
    assert (service["type"], service["ports"][0]["port"]) == ("LoadBalancer", 80)


def test_every_stack_has_a_namespace_and_a_tag_of_its_own(overrides: dict[str, Any]) -> None:
    results = [run_stack(stack, overrides) for stack in STACKS]
    assert len({result.exports["namespace"] for result in results}) == len(STACKS)
    assert [result.one("Image", "webapp-image").inputs["tags"][0].rpartition(":")[2] for result in results] == list(
        STACKS
    )


@pytest.mark.parametrize("stack", STACKS)
def test_the_pods_run_the_image_that_was_built_and_say_where_they_are(stack: str, overrides: dict[str, Any]) -> None:
    result = run_stack(stack, overrides)
    (container,) = result.one("Deployment", "webapp-deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert container["image"] == result.exports["images"]["webapp"]
    assert result.one("ConfigMap", "webapp-config").inputs["data"]["ENVIRONMENT"] == stack


def test_what_is_configured_reaches_the_service(overrides: dict[str, Any]) -> None:
    webapp = {
        "version": "9.9.9",
        "replicas": 7,
        "port": 8081,
        "metricsPort": 9103,
        "servicePort": 8000,
        "serviceType": "NodePort",
        "timeoutSeconds": 33,
        "resources": {"cpuRequest": "10m", "cpuLimit": "2", "memoryRequest": "32Mi", "memoryLimit": "1Gi"},
        "sourceRanges": ["192.0.2.0/24"],
        "logLevel": "debug",
        "config": {"COLOUR": "blue"},
        "faults": {"errorPercent": 2.5},
    }
    result = run_stack("dev", {**overrides, "webapp": webapp})
    deployment, service = result.one("Deployment", "webapp-deployment"), result.one("Service", "webapp-service")
    (container,) = deployment.inputs["spec"]["template"]["spec"]["containers"]
    data = result.one("ConfigMap", "webapp-config").inputs["data"]
    assert result.one("Image", "webapp-image").inputs["buildArgs"]["APP_VERSION"] == "9.9.9"
    assert (deployment.inputs["spec"]["replicas"], deployment.timeouts) == (7, ("33s", "33s"))
    assert [port["containerPort"] for port in container["ports"]] == [8081, 9103]
    assert (data["PORT"], data["METRICS_PORT"], data["LOG_LEVEL"], data["COLOUR"]) == ("8081", "9103", "debug", "blue")
    assert (data["FAULT_ERROR_PERCENT"], data["FAULT_DELAY_SECONDS"]) == ("2.5", "0.0")
    assert (service.inputs["spec"]["type"], service.inputs["spec"]["ports"][0]["port"]) == ("NodePort", 8000)
    assert container["resources"] == {
        "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"},
        "limits": {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "256Mi"},
    }


def test_every_service_sends_its_spans_to_the_stacks_collector(overrides: dict[str, Any]) -> None:
    tracing = {"endpoint": "https://otel.example.com:4318", "networks": ["192.0.2.8/32"]}
    result = run_stack("dev", {**overrides, "tracing": tracing})
    data = result.one("ConfigMap", "webapp-config").inputs["data"]
    assert data["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://otel.example.com:4318"
    (egress,) = result.one("NetworkPolicy", "webapp-network").inputs["spec"]["egress"]
    assert egress["to"] == [{"ipBlock": {"cidr": "192.0.2.8/32"}}]


def test_what_is_configured_reaches_the_build(overrides: dict[str, Any], certificates: Path) -> None:
    build = {
        **overrides["build"],
        "builderName": "mine",
        "platforms": ["linux/arm64"],
        "baseImage": f"a/b@{DIGEST}",
        "buildImage": f"a/c@{DIGEST}",
        "cache": True,
    }
    inputs = run_stack("prod", {**overrides, "build": build}).one("Image", "webapp-image").inputs
    assert (inputs["builder"], inputs["platforms"]) == ({"name": "mine"}, ["linux/arm64"])
    assert (inputs["buildArgs"]["BASE_IMAGE"], inputs["buildArgs"]["BUILD_IMAGE"]) == (f"a/b@{DIGEST}", f"a/c@{DIGEST}")
    assert (inputs["secrets"], "cacheTo" in inputs) == ({"ca": certificates.read_text()}, True)


def test_the_docker_builder_can_be_chosen(overrides: dict[str, Any]) -> None:
    build = {"builder": "docker", "builderName": None, "caCertificates": None}
    result = run_stack("dev", {**overrides, "build": build})
    assert [image.type for image in result.all("Image")] == ["cloudnative:index:Image", "docker:index/image:Image"]
    assert result.exports["images"]["webapp"] == f"10.90.0.1:5000/webapp@{DIGEST}"


@pytest.mark.parametrize(("stack", "accounts"), [("dev", 3), ("prod", 1)])
def test_registry_credentials_are_used_to_push_and_to_pull(
    stack: str, accounts: int, overrides: dict[str, Any]
) -> None:
    login = {"registry": {"username": "ci"}, "registryPassword": "hush"}
    result = run_stack(stack, {**overrides, **login}, secrets=["cloudnative:registryPassword"])
    assert result.one("Image", "webapp-image").inputs["registries"][0]["password"] == "hush"
    pulling = [account.inputs["imagePullSecrets"] for account in result.all("ServiceAccount")]
    assert pulling == [[{"name": "registry-secret-1a2b3c4d"}]] * accounts
    leaks = [made.name for made in result.resources if any("hush" in text for text in plain_texts(made.wire))]
    assert not leaks


def test_an_image_that_was_built_before_is_run_without_a_build(overrides: dict[str, Any]) -> None:
    good = f"10.90.0.1:5000/webapp@sha256:{'ab' * 32}"
    result = run_stack("dev", {**overrides, "webapp": {"image": good}})
    assert not result.all("Image")
    (container,) = result.one("Deployment", "webapp-deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert (container["image"], result.exports["images"]["webapp"]) == (good, good)


@pytest.mark.parametrize(("stack", "fewest", "most"), [("staging", 2, 4), ("prod", 4, 8)])
def test_staging_and_prod_grow_with_their_load(stack: str, fewest: int, most: int, overrides: dict[str, Any]) -> None:
    result = run_stack(stack, overrides)
    spec = result.one("HorizontalPodAutoscaler").inputs["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (fewest, most)
    assert "replicas" not in result.one("Deployment", "webapp-deployment").inputs["spec"]


def test_only_the_one_who_scrapes_reaches_the_metrics(overrides: dict[str, Any]) -> None:
    scrapers = []
    for stack in ("dev", "prod"):
        rules = run_stack(stack, overrides).one("NetworkPolicy", "webapp-network").inputs["spec"]["ingress"]
        scrapers += [rule["from"] for rule in rules if rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]]
    server = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "cloudnative-dev"}
    assert scrapers == [
        [{"podSelector": {"matchLabels": server}}],
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    ]


def test_without_credentials_there_is_no_pull_secret(dev: Run) -> None:
    assert not dev.all("Secret")


def test_a_wrong_configuration_registers_nothing(overrides: dict[str, Any]) -> None:
    cloud = Cloud()
    with pytest.raises(
        SettingsError, match=r"cloudnative:webapp\.replicas must be a whole number from 1 to 100, found 0"
    ):
        run_stack("dev", {**overrides, "webapp": {"replicas": 0}}, cloud=cloud)
    assert not cloud.seen


def test_in_another_cluster_nothing_but_its_identity_is_looked_at(overrides: dict[str, Any]) -> None:
    cloud = Cloud(recorded_uid="another")
    with pytest.raises(pulumi.RunError, match="bound to the cluster with UID another"):
        run_stack("dev", overrides, cloud=cloud)
    looked_at = [args.name for args in cloud.seen if args.typ.startswith(("kubernetes:", "pulumi:providers:"))]
    assert looked_at == ["cluster-scout", "cluster-identity"]


def test_a_first_preview_works_although_image_and_address_are_not_known_yet(overrides: dict[str, Any]) -> None:
    cloud = Cloud(unknown=["docker-build:index:Image", "kubernetes:core/v1:Service"])
    result = run_stack("dev", overrides, cloud=cloud, allow_unknown=True)
    assert (result.exports["images"], result.exports["url"]) == (None, None)
    assert result.exports["namespace"] == "cloudnative-dev"
    assert result.all("Deployment")


def test_the_same_configuration_declares_the_same_twice(overrides: dict[str, Any]) -> None:
    first, second = ({made.urn: made.wire for made in run_stack("dev", overrides).resources} for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "file", [ROOT / "__main__.py", ROOT / "settings.py", *sorted((ROOT / "components").glob("*.py"))]
)
def test_no_code_asks_for_the_stacks_name_or_knows_an_environment(file: Path) -> None:
    tree = ast.parse(file.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert "get_stack" not in names
    # "dev" is also settings.py's default for a release, as which it decides nothing.
    assert not texts & {"staging", "prod", *({"dev"} if file.name != "settings.py" else set())}


@pytest.mark.parametrize("file", sorted((ROOT / "components").glob("*.py")), ids=lambda file: file.stem)
def test_no_component_reads_configuration_or_exports(file: Path) -> None:
    tree = ast.parse(file.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    assert not used & {"Config", "export", "get_config"}
    assert "settings" not in imported
