"""The whole program, with the configuration of each of the three stacks."""

import ast
from pathlib import Path
from typing import Any

import pulumi
import pytest

from services import SERVICES
from settings import SettingsError
from tests.unit.program.harness import (
    ADDRESS,
    DIGEST,
    ROOT,
    Cloud,
    Run,
    as_it_stands,
    image_lock,
    plain_texts,
    run_stack,
    with_every_secret,
)

HOSTS = {"dev": "10.90.1.1", "staging": "staging.cloudnative.test", "prod": "prod.cloudnative.test"}
STACKS = tuple(HOSTS)
NO_GATEWAY = "{}"


@pytest.fixture
def overrides(certificates: Path, tmp_path: Path) -> dict[str, Any]:
    """Return what of a stack's configuration is about the machine rather than the stack."""
    return {"build": {"caCertificates": str(certificates)}, **image_lock(tmp_path)}


@pytest.fixture
def dev() -> Run:
    return as_it_stands("dev")


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_exports_its_gateway_its_images_and_its_namespace(stack: str) -> None:
    result = as_it_stands(stack)
    exports = dict(result.exports)
    for name in ("prometheus_url", "dashboard_url", "alertmanager_url"):
        exports.pop(name, None)
    assert exports.pop("ca_certificate").startswith("-----BEGIN CERTIFICATE-----")
    assert len(exports.pop("api_key")) >= 43
    assert exports == {
        "url": f"https://{HOSTS[stack]}",
        "images": {service.name: f"10.90.0.1:5000/{service.name}@{DIGEST}" for service in SERVICES},
        "namespace": f"cloudnative-{stack}",
    }
    assert result.secret_exports == {"api_key"}


def test_dev_runs_a_prometheus_and_an_alertmanager_of_its_own(dev: Run) -> None:
    assert dev.exports["prometheus_url"] == "https://10.90.1.1/prometheus"
    assert dev.exports["dashboard_url"] == "https://10.90.1.1/prometheus/consoles/services.html"
    assert dev.exports["alertmanager_url"] == "https://10.90.1.1/alertmanager"
    assert dev.all("Prometheus")
    assert dev.all("Alertmanager")
    assert not [made for made in dev.resources if "monitoring.coreos.com" in made.type]


def test_the_gateway_leads_to_both_and_lets_in_whom_they_let_in(overrides: dict[str, Any]) -> None:
    monitoring = {"sourceRanges": ["192.0.2.0/24"]}
    made = run_stack("dev", {**overrides, "monitoring": monitoring})
    for name, port in (("prometheus", 9090), ("alertmanager", 9093)):
        (rule,) = made.one("HTTPRoute", f"gateway-{name}").inputs["spec"]["rules"]
        assert [one["path"]["value"] for one in rule["matches"]] == [f"/{name}"]
        assert [(one["name"], one["port"]) for one in rule["backendRefs"]] == [(name, port)]
        guard = made.one("Middleware", f"gateway-{name}-sources").inputs["spec"]
        assert guard == {"ipAllowList": {"sourceRange": ["192.0.2.0/24"]}}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_are_scraped_by_the_clusters_operator(stack: str) -> None:
    result = as_it_stands(stack)
    for kind, count in (("ServiceMonitor", len(SERVICES)), ("PrometheusRule", 1), ("AlertmanagerConfig", 1)):
        found = result.all(kind)
        assert [made.inputs["metadata"]["labels"]["release"] for made in found] == ["prometheus"] * count
    assert not result.all("Prometheus")
    assert not result.all("Alertmanager")
    assert not [name for name in result.exports if name.startswith(("prometheus", "alertmanager", "dashboard"))]


def assert_is_the_example(result: Run, service_type: str) -> None:
    """Three pods that serve on 8080, behind a Service that has port 80 for that."""
    deployment = result.one("Deployment", "webapp-deployment").inputs["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    service = result.one("Service", "webapp-service").inputs["spec"]
    assert (deployment["replicas"], container["ports"][0]["containerPort"]) == (3, 8080)
    assert (container["ports"][0]["name"], service["ports"][0]["targetPort"]) == ("http", "http")
    assert (service["type"], service["ports"][0]["port"]) == (service_type, 80)


def test_dev_is_the_example_that_the_project_comes_from_behind_a_gateway(dev: Run) -> None:
    assert_is_the_example(dev, "ClusterIP")


def test_without_a_gateway_a_load_balancer_publishes_the_example_itself(overrides: dict[str, Any]) -> None:
    webapp = {"serviceType": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}
    monitoring = {"published": False}
    result = run_stack("dev", {**overrides, "gateway": NO_GATEWAY, "webapp": webapp, "monitoring": monitoring})
    assert_is_the_example(result, "LoadBalancer")
    assert result.exports["url"] == f"http://{ADDRESS}"
    assert not {"ca_certificate", "api_key"} & result.exports.keys()
    assert not [made for made in result.resources if "gateway" in made.type.lower() or "traefik" in made.type]


def test_every_stack_has_a_namespace_and_a_tag_of_its_own() -> None:
    results = [as_it_stands(stack) for stack in STACKS]
    assert len({result.exports["namespace"] for result in results}) == len(STACKS)
    assert [result.one("Image", "webapp-image").inputs["tags"][0].rpartition(":")[2] for result in results] == list(
        STACKS
    )


@pytest.mark.parametrize("stack", STACKS)
def test_the_pods_run_the_image_that_was_built_and_say_where_they_are(stack: str) -> None:
    result = as_it_stands(stack)
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
    for name in (service.name for service in SERVICES):
        data = result.one("ConfigMap", f"{name}-config").inputs["data"]
        assert data["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://otel.example.com:4318"
        egress = result.one("NetworkPolicy", f"{name}-network").inputs["spec"]["egress"]
        to_addresses = [rule for rule in egress if "ipBlock" in rule["to"][0]]
        assert [rule["to"] for rule in to_addresses] == [[{"ipBlock": {"cidr": "192.0.2.8/32"}}]]


def test_what_is_configured_reaches_the_gateway(overrides: dict[str, Any]) -> None:
    gateway = {
        "className": "edge",
        "namespace": "edge-system",
        "host": "shop.example.com",
        "certificate": {"kind": "cert-manager", "issuer": "letsencrypt"},
        "rateLimit": {"requestsPerSecond": 7, "burst": 9},
        "maxBodyBytes": 2048,
        "sourceRanges": ["192.0.2.0/24"],
        "metrics": {"service": "edge-metrics", "port": 9101},
    }
    result = run_stack("dev", {**overrides, "gateway": gateway, "webapp": {"servicePort": 8000}})
    made = result.one("Gateway", "gateway-gateway").inputs
    assert made["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert made["spec"]["gatewayClassName"] == "edge"
    assert {listener.get("hostname") for listener in made["spec"]["listeners"]} == {"shop.example.com"}
    assert result.exports["url"] == "https://shop.example.com"
    assert "ca_certificate" not in result.exports
    guards = {one.inputs["metadata"]["name"]: one.inputs["spec"] for one in result.all("Middleware")}
    for service in SERVICES:
        limit = guards[f"{service.name}-rate-limit"]["rateLimit"]
        assert (limit["average"], limit["burst"]) == (7, 9)
        assert guards[f"{service.name}-body-limit"] == {"buffering": {"maxRequestBodyBytes": 2048}}
        assert guards[f"{service.name}-sources"] == {"ipAllowList": {"sourceRange": ["192.0.2.0/24"]}}
        assert (f"{service.name}-api-key" in guards) is service.needs_key
        peers = [
            rule["from"] for rule in result.one("NetworkPolicy", f"{service.name}-network").inputs["spec"]["ingress"]
        ]
        assert "edge-system" in str(peers)
    (rule,) = result.one("HTTPRoute", "gateway-webapp").inputs["spec"]["rules"]
    assert [(to["name"], to["port"]) for to in rule["backendRefs"]] == [("webapp", 8000)]
    config = result.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
    assert "edge-metrics" in config


def test_a_class_without_extensions_will_do_where_nobody_asks_for_a_key(
    overrides: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in SERVICES:
        monkeypatch.setattr(service, "needs_key", False)
    plain = {
        "extensions": None,
        "rateLimit": None,
        "maxBodyBytes": None,
        "sourceRanges": ["0.0.0.0/0"],
        "metrics": None,
    }
    monitoring = {"sourceRanges": ["0.0.0.0/0"]}
    result = run_stack("dev", {**overrides, "gateway": {**plain, "timeoutSeconds": 30}, "monitoring": monitoring})
    assert "api_key" not in result.exports
    assert not [made for made in result.resources if "traefik" in made.type]
    for service in SERVICES:
        (rule,) = result.one("HTTPRoute", f"gateway-{service.name}").inputs["spec"]["rules"]
        assert rule["timeouts"]["request"] == "30s"


def test_what_is_configured_reaches_the_database(overrides: dict[str, Any]) -> None:
    database = {
        "kind": "postgres",
        "image": f"a/postgres@{DIGEST}",
        "storage": "3Gi",
        "storageClass": "fast",
        "backupStorage": "5Gi",
        "backupSchedule": "30 1 * * *",
        "backupsKept": 14,
    }
    result = run_stack("dev", {**overrides, "catalog": {"database": database}})
    server = result.one("StatefulSet", "catalog-database-server").inputs["spec"]["template"]["spec"]
    assert {one["image"] for one in (*server["initContainers"], *server["containers"])} == {f"a/postgres@{DIGEST}"}
    for name, size in (("data", "3Gi"), ("backups", "5Gi")):
        volume = result.one("PersistentVolumeClaim", f"catalog-database-{name}-volume")
        assert volume.inputs["spec"]["resources"]["requests"]["storage"] == size
        assert volume.inputs["spec"]["storageClassName"] == "fast"
        assert volume.protect
    backup = result.one("CronJob", "catalog-database-backup-job").inputs["spec"]
    assert backup["schedule"] == "30 1 * * *"
    (container,) = backup["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "KEPT", "value": "14"} in container["env"]


def test_what_others_run_is_not_run_here_and_reached_where_it_is(overrides: dict[str, Any]) -> None:
    managed = {
        "kind": "managed",
        "host": "db.example.com",
        "dbname": "shop",
        "username": "team",
        "networks": ["192.0.2.8/32"],
    }
    changes = {"catalog": {"database": managed}, "catalogDatabasePassword": "hush"}
    secrets = ["cloudnative:catalogDatabasePassword"]
    result = run_stack("dev", {**overrides, **changes}, secrets=secrets)
    assert not result.all("StatefulSet")
    files = result.one("Secret", "catalog-database-connection").inputs["stringData"]
    assert (files["host"], files["dbname"], files["username"], files["password"]) == (
        "db.example.com",
        "shop",
        "team",
        "hush",
    )
    for of in ("catalog", "catalog-migration"):
        (egress,) = result.one("NetworkPolicy", f"{of}-network").inputs["spec"]["egress"]
        assert egress["to"] == [{"ipBlock": {"cidr": "192.0.2.8/32"}}]
    assert not [made.name for made in result.resources if any("hush" in text for text in plain_texts(made.wire))]


def test_an_operators_cluster_is_asked_for_as_it_is_configured(overrides: dict[str, Any]) -> None:
    database = {"kind": "cloudnative-pg", "instances": 2, "storage": "3Gi", "apiServer": ["10.90.0.1/32"]}
    result = run_stack("dev", {**overrides, "catalog": {"database": database}})
    spec = result.one("Cluster", "catalog-database-cluster").inputs["spec"]
    assert (spec["instances"], spec["storage"]) == (2, {"size": "3Gi"})
    assert not result.all("StatefulSet")


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
    made = [image.type for image in result.all("Image")]
    assert sorted(made) == ["cloudnative:index:Image"] * len(SERVICES) + ["docker:index/image:Image"] * len(SERVICES)
    assert result.exports["images"]["webapp"] == f"10.90.0.1:5000/webapp@{DIGEST}"


# Beside each service's: of the database, its backup, its restore and its migration; and of the stack's own monitoring.
@pytest.mark.parametrize(("stack", "accounts"), [("dev", 6), ("prod", 4)])
def test_registry_credentials_are_used_to_push_and_to_pull(stack: str, accounts: int) -> None:
    result = with_every_secret(stack)
    for service in SERVICES:
        assert result.one("Image", f"{service.name}-image").inputs["registries"][0]["password"] == "hush"
    pulling = [account.inputs["imagePullSecrets"] for account in result.all("ServiceAccount")]
    assert pulling == [[{"name": "registry-secret-1a2b3c4d"}]] * (len(SERVICES) + accounts)
    leaks = [made.name for made in result.resources if any("hush" in text for text in plain_texts(made.wire))]
    assert not leaks


def test_an_image_that_was_built_before_is_run_without_a_build(overrides: dict[str, Any]) -> None:
    good = f"10.90.0.1:5000/webapp@sha256:{'ab' * 32}"
    result = run_stack("dev", {**overrides, "webapp": {"image": good}})
    built = {image.name for image in result.all("Image")}
    assert built == {f"{one.name}{part}" for one in SERVICES if one.name != "webapp" for part in ("", "-image")}
    (container,) = result.one("Deployment", "webapp-deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert (container["image"], result.exports["images"]["webapp"]) == (good, good)


@pytest.mark.parametrize(
    ("stack", "scaled"), [("staging", {"webapp": (2, 4)}), ("prod", {"catalog": (2, 4), "webapp": (4, 8)})]
)
def test_staging_and_prod_grow_with_their_load(stack: str, scaled: dict[str, tuple[int, int]]) -> None:
    result = as_it_stands(stack)
    specs = {made.name: made.inputs["spec"] for made in result.all("HorizontalPodAutoscaler")}
    found = {name: (spec["minReplicas"], spec["maxReplicas"]) for name, spec in specs.items()}
    assert found == {f"{name}-autoscaler": sizes for name, sizes in scaled.items()}
    for name in scaled:
        assert "replicas" not in result.one("Deployment", f"{name}-deployment").inputs["spec"]


def test_only_the_one_who_scrapes_reaches_the_metrics() -> None:
    scrapers = []
    for stack in ("dev", "prod"):
        policies = as_it_stands(stack).all("NetworkPolicy")
        rules = [rule for made in policies for rule in made.inputs["spec"].get("ingress", [])]
        found = [rule["from"] for rule in rules if rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]]
        assert found == found[:1] * len(SERVICES)
        scrapers += found[:1]
    server = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "cloudnative-dev"}
    assert scrapers == [
        [{"podSelector": {"matchLabels": server}}],
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    ]


def test_without_credentials_there_is_no_pull_secret(dev: Run) -> None:
    assert not [made.name for made in dev.all("Secret") if "docker" in made.inputs.get("type", "")]
    assert not [account.name for account in dev.all("ServiceAccount") if "imagePullSecrets" in account.inputs]


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
    unknown = ["docker-build:index:Image", "kubernetes:core/v1:Service", "pulumi:index:Stash"]
    result = run_stack("dev", overrides, cloud=Cloud(unknown=unknown), allow_unknown=True)
    assert [result.exports[name] for name in ("images", "ca_certificate", "api_key")] == [None] * 3
    assert (result.exports["url"], result.exports["namespace"]) == ("https://10.90.1.1", "cloudnative-dev")
    assert len(result.all("Deployment")) == len(SERVICES) + 2
    balanced = {"serviceType": "LoadBalancer"}
    without_gateway = {"gateway": NO_GATEWAY, "webapp": balanced, "monitoring": {**balanced, "published": False}}
    result = run_stack("dev", {**overrides, **without_gateway}, cloud=Cloud(unknown=unknown), allow_unknown=True)
    assert [result.exports[name] for name in ("url", "prometheus_url", "alertmanager_url")] == [None] * 3


def test_the_same_configuration_declares_the_same_twice(tmp_path: Path) -> None:
    first = as_it_stands("dev")
    made_once = {made.name: made.inputs["input"] for made in first.all("Stash")}
    second = run_stack("dev", image_lock(tmp_path), cloud=Cloud(stashed=made_once))
    # What is random is made anew in each run, and taken from the state once it is there.
    assert all(made.ignore_changes == ("input",) for made in second.all("Stash"))
    declared = [
        {made.urn: made.wire for made in run.resources if made.name not in made_once} for run in (first, second)
    ]
    assert len(declared[0]) > 80
    assert declared[0] == declared[1]
    assert first.exports == second.exports


@pytest.mark.parametrize(
    "file",
    [
        *(ROOT / name for name in ("__main__.py", "services.py", "settings.py")),
        *sorted((ROOT / "components").glob("*.py")),
        *sorted((ROOT / "keys").glob("*.py")),
    ],
)
def test_no_code_asks_for_the_stacks_name_or_knows_an_environment(file: Path) -> None:
    tree = ast.parse(file.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert "get_stack" not in names
    # "dev" is also the default of the key for a release, as which it decides nothing.
    assert not texts & {"staging", "prod", *({"dev"} if file != ROOT / "keys/service.py" else set())}


@pytest.mark.parametrize("file", sorted((ROOT / "components").glob("*.py")), ids=lambda file: file.stem)
def test_no_component_reads_configuration_or_exports(file: Path) -> None:
    tree = ast.parse(file.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    assert not used & {"Config", "export", "get_config"}
    assert "settings" not in imported
