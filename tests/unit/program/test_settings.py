"""The configuration: what is accepted, and what is refused with which words."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import config_schema
import settings
from components.signals import Traefik
from keys.database import CloudNativePg, Managed, Postgres
from keys.monitoring import PrometheusOperator, PrometheusServer
from services import SERVICES
from settings import Settings, SettingsError
from tests.unit.program.harness import DIGEST, PROJECT, ROOT, encoded, run

VALID: dict[str, Any] = {
    "environment": "dev",
    "owner": "platform",
    "cluster": {"context": "cloudnative", "namespace": "cloudnative-dev"},
    "registry": {"address": "10.90.0.1:5000"},
    "registryPassword": "",
    "allowMutableTags": True,
    **{key: {} for key in settings.SERVICE_KEYS},
    "build": {"baseImage": "10.90.0.1:5000/base/python:3.11", "buildImage": "10.90.0.1:5000/base/python-build:3.11"},
    "gateway": {
        "className": "traefik",
        "extensions": "traefik",
        "namespace": "traefik",
        "host": "10.90.1.1",
        "certificate": {"kind": "own"},
        "rateLimit": {"requestsPerSecond": 500, "burst": 1000},
    },
    "catalog": {"database": {"kind": "postgres", "image": "10.90.0.1:5000/base/postgres:15"}},
    "monitoring": {
        "kind": "prometheus",
        "image": "10.90.0.1:5000/base/prometheus:3",
        "alertmanagerImage": "10.90.0.1:5000/base/alertmanager:0",
        "apiServer": ["10.90.0.1/32"],
    },
}
PLAIN_GATEWAY = {key: value for key, value in VALID["gateway"].items() if key not in ("extensions", "rateLimit")}
OPERATOR = {"kind": "operator"}
MANAGED = {
    "kind": "managed",
    "host": "db.example.com",
    "dbname": "shop",
    "username": "shop",
    "networks": ["192.0.2.8/32"],
}
CLOUD_NATIVE_PG = {"kind": "cloudnative-pg", "apiServer": ["10.90.0.1/32"]}
CERT_MANAGER = {"kind": "cert-manager", "issuer": "letsencrypt"}
DATABASE_PASSWORD = "catalogDatabasePassword"


def parsed(values: Mapping[str, Any], *secrets: str) -> Settings:
    return settings.parse({key: encoded(value) for key, value in values.items()}, secrets=set(secrets))


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return valid values with one key set; a dot leads into an object."""
    values: dict[str, Any] = json.loads(json.dumps(VALID))
    *parents, last = path.split(".")
    node = values
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return values


def without(path: str) -> dict[str, Any]:
    """Return valid values with one key left out."""
    values = changed(path, None)
    *parents, last = path.split(".")
    node = values
    for parent in parents:
        node = node[parent]
    del node[last]
    return values


def problems(values: Mapping[str, Any], *secrets: str) -> list[str]:
    """Return the lines of the error that name a key."""
    with pytest.raises(SettingsError) as error:
        parsed(values, *secrets)
    return [line.strip() for line in str(error.value).splitlines() if line.startswith("  ")]


def problem(values: Mapping[str, Any], *secrets: str) -> str:
    """Return the one line of the error that names a key."""
    (only,) = problems(values, *secrets)
    return only


def test_the_defaults_are_the_example_that_the_project_comes_from() -> None:
    webapp = parsed(VALID).services["webapp"]
    assert (webapp.replicas, webapp.port, webapp.service_port, webapp.metrics_port) == (3, 8080, 80, 9102)
    assert (webapp.timeout_seconds, webapp.service_type, webapp.config) == (120, "ClusterIP", {})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parsed(VALID).services["webapp"].replicas = 4


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [(VALID["monitoring"], PrometheusServer), (OPERATOR, PrometheusOperator)],
    ids=["own", "operator"],
)
def test_one_key_chooses_who_scrapes(chosen: dict[str, Any], kind: type) -> None:
    assert isinstance(parsed({**VALID, "monitoring": chosen}).monitoring, kind)


# Key, wrong value, limit. The value found is asserted beside the limit.
WRONG: list[tuple[str, Any, str]] = [
    ("environment", "", "lower-case letters, digits and hyphens, at most 63"),
    ("environment", "Dev", "lower-case letters, digits and hyphens, at most 63"),
    ("owner", "", "lower-case letters, digits and hyphens, at most 63"),
    ("owner", "Team A", "lower-case letters, digits and hyphens, at most 63"),
    ("imageLock", "/no/such/file", "the path of a readable JSON file"),
    ("imageLock", "/etc/hostname", "the path of a readable JSON file"),
    ("allowMutableTags", "yes", "true or false"),
    ("cluster", "cloudnative", "an object with context, kubeconfig, renderTo, namespace"),
    ("cluster", [1], "an object with context, kubeconfig, renderTo, namespace"),
    ("cluster.context", "", "a context of the kubeconfig"),
    ("cluster.context", 1, "a context of the kubeconfig"),
    ("cluster.namespace", "Dev", "lower-case letters, digits and hyphens, at most 63"),
    ("cluster.namespace", "a" * 64, "lower-case letters, digits and hyphens, at most 63"),
    ("cluster.namespace", True, "lower-case letters, digits and hyphens, at most 63"),
    ("cluster.kubeconfig", "/no/such/kubeconfig", "the path of a kubeconfig"),
    ("cluster.kubeconfig", {}, "a string"),
    ("cluster.renderTo", "", "a non-empty string"),
    ("registry", 5000, "an object with address, username"),
    ("registry.address", "http://10.90.0.1:5000", "host[:port][/path] without a scheme"),
    ("registry.address", 5000, "host[:port][/path] without a scheme"),
    ("registry.username", "", "a non-empty string"),
    ("registry.username", 7, "a non-empty string"),
    ("gateway", "traefik", "an object with className, extensions, namespace, host, certificate, rateLimit"),
    ("gateway", False, "an object with className, extensions, namespace, host, certificate, rateLimit"),
    ("gateway.className", "", "a DNS name in lower case"),
    ("gateway.className", "Traefik", "a DNS name in lower case"),
    ("gateway.extensions", "nginx", "traefik"),
    ("gateway.extensions", True, "traefik"),
    ("gateway.namespace", "a.b", "lower-case letters, digits and hyphens, at most 63"),
    (
        "gateway.host",
        "https://shop.example.com",
        "a DNS name in lower case, such as shop.example.com, or an IP address",
    ),
    ("gateway.certificate", "own", "an object whose kind is one of cert-manager, own"),
    ("gateway.certificate.kind", "acme", "one of cert-manager, own"),
    ("gateway.rateLimit", 500, "an object with requestsPerSecond, burst"),
    ("gateway.rateLimit.requestsPerSecond", 0, "a whole number from 1 to 1000000"),
    ("gateway.rateLimit.burst", "9", "a whole number from 1 to 1000000"),
    ("gateway.maxBodyBytes", 0, "a whole number from 1 to 1099511627776"),
    ("gateway.maxBodyBytes", "1Mi", "a whole number from 1 to 1099511627776"),
    ("gateway.sourceRanges", [], "a list of at least 1 network in CIDR notation"),
    ("gateway.sourceRanges", "0.0.0.0/0", "a list of at least 1 network in CIDR notation"),
    ("gateway.timeoutSeconds", 0, "a whole number from 1 to 3600"),
    ("gateway.timeoutSeconds", 3601, "a whole number from 1 to 3600"),
    ("gateway.metrics", 9100, "an object with service, port"),
    ("gateway.metrics.service", "Traefik", "lower-case letters, digits and hyphens, at most 63"),
    ("gateway.metrics.port", 0, "a whole number from 1 to 65535"),
    ("build", True, "an object with builder, builderName"),
    ("build.builder", "kaniko", "one of buildkit, docker"),
    ("build.builder", 1, "one of buildkit, docker"),
    ("build.builderName", "", "a non-empty string"),
    ("build.platforms", [], "a list of at least 1"),
    ("build.platforms", "linux/amd64", "a list of at least 1"),
    ("build.baseImage", "python", "an image with a digest or a tag other than latest"),
    ("build.baseImage", "python:latest", "an image with a digest or a tag other than latest"),
    ("build.buildImage", "", "an image with a digest or a tag other than latest"),
    ("build.buildImage", 3.11, "an image with a digest or a tag other than latest"),
    ("build.cache", "yes", "true or false"),
    ("build.cache", 1, "true or false"),
    ("build.caCertificates", "ca.crt", "the absolute path of a readable file with certificates in PEM"),
    ("build.caCertificates", "/no/such/file", "the absolute path of a readable file with certificates in PEM"),
    ("build.caCertificates", "/etc/hostname", "the absolute path of a readable file with certificates in PEM"),
    ("build.caCertificates", "/etc", "the absolute path of a readable file with certificates in PEM"),
    ("catalog", 3, "an object with version, image, replicas"),
    ("catalog.database", "postgres", "an object whose kind is one of cloudnative-pg, managed, postgres"),
    ("catalog.database.kind", "mysql", "one of cloudnative-pg, managed, postgres"),
    ("catalog.database.storage", "1GB", "a positive Kubernetes quantity"),
    ("catalog.database.storageClass", "Fast SSD", "lower-case letters, digits and hyphens, at most 63"),
    ("catalog.database.droppable", "no", "true or false"),
    ("catalog.database.image", "postgres:latest", "an image with a digest or a tag other than latest"),
    ("catalog.database.image", None, "an image with a digest or a tag other than latest"),
    ("catalog.database.backupStorage", 1, "a positive Kubernetes quantity"),
    ("catalog.database.backupSchedule", "0 3 * * 1", "a minute and an hour in cron's notation, such as 0 3 * * *"),
    ("catalog.database.backupSchedule", "@daily", "a minute and an hour in cron's notation, such as 0 3 * * *"),
    ("catalog.database.backupsKept", 0, "a whole number from 1 to 100"),
    ("catalog.database.backupsKept", 101, "a whole number from 1 to 100"),
    ("webapp", 3, "an object with version, image, replicas"),
    ("webapp.version", "", "1 to 128 letters, digits"),
    ("webapp.version", "one two", "1 to 128 letters, digits"),
    ("webapp.version", 1.0, "1 to 128 letters, digits"),
    ("webapp.image", "10.90.0.1:5000/webapp:1", "an image with a digest"),
    ("webapp.image", "", "an image with a digest"),
    ("webapp.autoscaling", 5, "an object with maxReplicas, cpuPercent"),
    ("webapp.autoscaling.maxReplicas", 1, "a whole number from 2 to 100"),
    ("webapp.sourceRanges", [], "a list of at least 1 network in CIDR notation"),
    ("webapp.sourceRanges", "0.0.0.0/0", "a list of at least 1 network in CIDR notation"),
    ("quota", 5, "an object with pods, cpu, memory, ephemeralStorage"),
    ("quota.pods", 0, "a whole number from 1 to 10000"),
    ("quota.cpu", "four", "a positive Kubernetes quantity"),
    ("quota.memory", 8, "a positive Kubernetes quantity"),
    ("quota.ephemeralStorage", "8GB", "a positive Kubernetes quantity"),
    ("webapp.replicas", 0, "a whole number from 1 to 100"),
    ("webapp.replicas", 101, "a whole number from 1 to 100"),
    ("webapp.replicas", "3", "a whole number from 1 to 100"),
    ("webapp.replicas", 2.5, "a whole number from 1 to 100"),
    ("webapp.replicas", True, "a whole number from 1 to 100"),
    ("webapp.replicas", None, "a whole number from 1 to 100"),
    ("webapp.port", 80, "a whole number from 1024 to 65535"),
    ("webapp.port", 65536, "a whole number from 1024 to 65535"),
    ("webapp.metricsPort", 1023, "a whole number from 1024 to 65535"),
    ("webapp.servicePort", 0, "a whole number from 1 to 65535"),
    ("webapp.servicePort", 65536, "a whole number from 1 to 65535"),
    ("webapp.serviceType", "Ingress", "one of ClusterIP, NodePort, LoadBalancer"),
    ("webapp.serviceType", "loadbalancer", "one of ClusterIP, NodePort, LoadBalancer"),
    ("webapp.timeoutSeconds", 9, "a whole number from 10 to 3600"),
    ("webapp.timeoutSeconds", 3601, "a whole number from 10 to 3600"),
    ("webapp.logLevel", "verbose", "one of debug, info, warning, error"),
    ("webapp.resources", "small", "an object with cpuLimit, cpuRequest"),
    ("webapp.resources.cpuLimit", "1 core", "a positive Kubernetes quantity"),
    ("webapp.resources.cpuLimit", 1, "a positive Kubernetes quantity"),
    ("webapp.resources.cpuRequest", "0", "a positive Kubernetes quantity"),
    ("webapp.resources.memoryLimit", "256MB", "a positive Kubernetes quantity"),
    ("webapp.resources.memoryRequest", "-1Mi", "a positive Kubernetes quantity"),
    ("webapp.resources.ephemeralStorageLimit", "1G B", "a positive Kubernetes quantity"),
    ("webapp.resources.ephemeralStorageRequest", "", "a positive Kubernetes quantity"),
    ("webapp.faults", 5, "an object with errorPercent, delaySeconds"),
    ("webapp.faults.errorPercent", 100.5, "a number from 0 to 100"),
    ("webapp.faults.errorPercent", "5", "a number from 0 to 100"),
    ("webapp.faults.delaySeconds", -1, "a number from 0 to 30"),
    ("webapp.faults.delaySeconds", True, "a number from 0 to 30"),
    ("tracing", "http://otel:4318", "an object with endpoint, networks"),
    ("tracing.endpoint", "otel:4318", "the URL of an OTLP/HTTP collector with its port"),
    ("tracing.endpoint", 4318, "the URL of an OTLP/HTTP collector with its port"),
    ("tracing.networks", "10.0.0.1/32", "a list of at least 1 network in CIDR notation"),
    ("webapp.objective", 99.9, "an object with availabilityPercent, latencyPercent"),
    ("webapp.objective.availabilityPercent", 93.0, "above 93.06 and below 100, with at most 5 decimals"),
    ("webapp.objective.availabilityPercent", "99.9", "above 93.06 and below 100, with at most 5 decimals"),
    ("webapp.objective.latencyPercent", 100.0, "above 93.06 and below 100, with at most 5 decimals"),
    ("webapp.objective.latencyPercent", 99.1234567, "above 93.06 and below 100, with at most 5 decimals"),
    ("webapp.objective.latencySeconds", 0.3, "a bucket of http_request_duration_seconds (0.005, 0.01, "),
    ("webapp.objective.latencySeconds", 0, "a bucket of the service's histogram"),
    ("webapp.objective.days", 0, "a whole number from 1 to 90"),
    ("webapp.objective.days", 91, "a whole number from 1 to 90"),
    ("webapp.config", ["A=b"], "an object whose every value is a string"),
    ("webapp.config.COLOUR", 7, "a string"),
    ("webapp.config.COLOUR", None, "a string"),
    ("monitoring", "prometheus", "an object whose kind is one of operator, prometheus"),
    ("monitoring.kind", "datadog", "one of operator, prometheus"),
    ("monitoring.kind", 7, "one of operator, prometheus"),
    ("monitoring.image", "prometheus", "an image with a digest or a tag other than latest"),
    ("monitoring.alertmanagerImage", "alertmanager:latest", "an image with a digest or a tag other than latest"),
    ("monitoring.runbooks", "", "a non-empty string"),
    ("monitoring.windowDivisor", 0, "a divisor of 300 that leaves the shortest window, 300 s, at least 4 scrapes long"),
    ("monitoring.windowDivisor", 7, "a divisor of 300 that leaves the shortest window, 300 s, at least 4 scrapes long"),
    ("monitoring.windowDivisor", 20, "a divisor of 300 that leaves the shortest window, 300 s, at least 4 scrapes"),
    ("monitoring.kubeStateMetrics", True, "an object with namespace, service, port"),
    ("monitoring.kubeStateMetrics.namespace", "A", "lower-case letters, digits and hyphens, at most 63"),
    ("monitoring.kubeStateMetrics.service", "", "lower-case letters, digits and hyphens, at most 63"),
    ("monitoring.kubeStateMetrics.port", 0, "a whole number from 1 to 65535"),
    ("monitoring.kubelets", [], "a list of at least 1 network in CIDR notation"),
    ("monitoring.webhookNetworks", "10.0.0.0/8", "a list of at least 1 network in CIDR notation"),
    ("monitoring.retention", "forever", "a whole number with a unit"),
    ("monitoring.retention", "0d", "a whole number with a unit"),
    ("monitoring.scrapeIntervalSeconds", 0, "a whole number from 1 to 300"),
    ("monitoring.scrapeIntervalSeconds", 301, "a whole number from 1 to 300"),
    ("monitoring.sourceRanges", 7, "a list of at least 1 network in CIDR notation"),
    ("monitoring.apiServer", [], "a list of at least 1 network in CIDR notation"),
    ("monitoring.serviceType", None, "one of ClusterIP, NodePort, LoadBalancer"),
]


@pytest.mark.parametrize(("path", "value", "limit"), WRONG, ids=[f"{path}={value!r}" for path, value, _ in WRONG])
def test_a_wrong_value_is_refused_with_its_key_its_limit_and_itself(path: str, value: Any, limit: str) -> None:
    line = problem(changed(path, value))
    assert line.startswith(f"{path} must be {limit}")
    assert f", found {json.dumps(value)}" in line.replace("'", '"')


def leaves(values: Mapping[str, Any], path: str = "") -> set[str]:
    """Return the paths of all values that are no objects."""
    found = set()
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        found |= leaves(value, here) if isinstance(value, dict) and value else {here}
    return found


def test_there_is_a_wrong_value_for_every_key() -> None:
    monitoring = {**VALID["monitoring"], "kubeStateMetrics": {}}
    gateway = {**VALID["gateway"], "metrics": {}}
    values = {**VALID, "webapp": {"config": {"COLOUR": "blue"}}, "monitoring": monitoring, "gateway": gateway}
    model = parsed(values).model_dump(by_alias=True)
    # All services have the same keys, but for the database; a password has no wrong form; and what is secret, or is
    # there with another kind, is tested by itself below.
    others = [key for key in settings.SERVICE_KEYS if key != "webapp"]
    of_all = {path for key in others for path in leaves(model[key], key) if not path.startswith(f"{key}.database")}
    assert leaves(model) - of_all - set(settings.SECRETS) <= {path for path, _, _ in WRONG}


def test_the_keys_of_all_services_are_the_same_but_for_the_database() -> None:
    catalog, webapp = (parsed(VALID).services[name].model_dump() for name in ("catalog", "webapp"))
    assert catalog.keys() - webapp.keys() == {"database"}
    assert webapp.keys() <= catalog.keys()


REQUIRED = [
    "gateway.className",
    "gateway.namespace",
    "gateway.host",
    "gateway.certificate",
    "gateway.certificate.kind",
    "gateway.rateLimit.requestsPerSecond",
    "gateway.rateLimit.burst",
    "environment",
    "owner",
    "cluster",
    "cluster.context",
    "cluster.namespace",
    "registry",
    "registry.address",
    "build",
    "build.baseImage",
    "build.buildImage",
    "webapp",
    "monitoring",
    "monitoring.kind",
    "monitoring.image",
    "monitoring.alertmanagerImage",
    "monitoring.apiServer",
    "catalog",
    "catalog.database",
    "catalog.database.kind",
    "catalog.database.image",
]


@pytest.mark.parametrize("path", REQUIRED)
def test_a_missing_key_is_named_with_what_it_must_be(path: str) -> None:
    assert problem(without(path)).startswith(f"{path} is missing; it must be ")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("enviroment", "did you mean environment?"),
        ("xyz", f"known are {', '.join(settings.schema()['properties'])}"),
        ("cluster.namspace", "did you mean namespace?"),
        ("webapp.replica", "did you mean replicas?"),
        ("webapp.metrics_port", "did you mean metricsPort?"),
        ("webapp.resources.cpulimit", "did you mean cpuLimit?"),
        ("build.password", "known are builder, builderName, platforms, baseImage, buildImage, cache, caCertificates"),
        (
            "monitoring.labels",
            (
                "known are runbooks, scrapeIntervalSeconds, windowDivisor, kind, image, alertmanagerImage, retention, "
                "serviceType, sourceRanges, apiServer, kubeStateMetrics, kubelets, webhookNetworks"
            ),
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(path: str, hint: str) -> None:
    assert problem(changed(path, "x")) == f"{path} is no key; {hint}"


@pytest.mark.parametrize(
    ("labels", "found"), [({"release": "a b"}, "release: 'a b'"), ({"re lease": "a"}, "re lease: 'a'")]
)
def test_labels_that_the_api_server_would_refuse_are_refused(labels: dict[str, str], found: str) -> None:
    values = {**VALID, "monitoring": {**OPERATOR, "labels": labels}}
    assert problem(values) == f"monitoring.labels must be a Kubernetes label, found {found}"


def test_a_wrong_item_of_a_list_is_named_by_its_place() -> None:
    line = problem(changed("build.platforms", ["linux/amd64", "windows/amd64"]))
    assert line.startswith("build.platforms[1] must be one of linux/amd64, ")
    assert line.endswith('found "windows/amd64"')


def test_a_list_with_nothing_but_a_wrong_item_is_not_called_too_short_as_well() -> None:
    assert problem(changed("build.platforms", ["windows/amd64"])).startswith("build.platforms[0] must be one of ")


def test_certificates_by_a_relative_path_are_refused(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(certificates.parent)
    assert problem(changed("build.caCertificates", "ca.crt")).startswith(
        "build.caCertificates must be the absolute path"
    )


def test_a_key_that_is_no_identifier_is_named_as_the_command_line_takes_it() -> None:
    assert problem(changed("webapp.config", {"A B": "x"})).startswith('webapp.config["A B"] must be letters')


def test_metrics_must_have_a_port_of_their_own() -> None:
    assert problem(changed("webapp.metricsPort", 8080)) == "webapp.metricsPort must not be port, found 8080 for both"


def test_a_port_that_is_the_default_of_the_metrics_port_is_refused_too() -> None:
    assert problem(changed("webapp.port", 9102)) == "webapp.metricsPort must not be port, found 9102 for both"


@pytest.mark.parametrize(
    ("key", "value", "limit"), [("cpuRequest", "2", "1"), ("memoryRequest", "1Gi", "256Mi")], ids=["cpu", "memory"]
)
def test_a_request_above_its_limit_is_refused(key: str, value: str, limit: str) -> None:
    line = problem(changed(f"webapp.resources.{key}", value))
    assert line == f"webapp.resources.{key} must not be above the limit of {limit}, found {value}"


def test_a_limit_below_the_default_request_is_refused() -> None:
    assert problem(changed("webapp.resources.cpuLimit", "10m")).startswith("webapp.resources.cpuRequest must not be")


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "METRICS_PORT",
        "POD_NAME",
        "LOG_LEVEL",
        "FAULT_ERROR_PERCENT",
        "FAULT_DELAY_SECONDS",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "SERVICE",
        "CATALOG_URL",
        "CATALOG_TIMEOUT_SECONDS",
        "CATALOG_RETRIES",
    ],
)
def test_variables_that_the_component_sets_cannot_be_set(name: str) -> None:
    line = problem(changed(f"webapp.config.{name}", "1"))
    assert line == f"webapp.config must not set {name}: the component or the image sets it itself"


def test_a_service_may_set_what_only_calls_that_it_does_not_make_would_set() -> None:
    assert parsed(changed("catalog.config.CATALOG_URL", "http://x")).services["catalog"].config


def test_a_collector_and_its_networks_go_together() -> None:
    tracing = {"endpoint": "http://otel.example.com:4318", "networks": ["192.0.2.8/32"]}
    assert parsed(changed("tracing", tracing)).tracing.networks == ("192.0.2.8/32",)
    line = problem(changed("tracing", {"endpoint": tracing["endpoint"]}))
    assert line.startswith("tracing.networks must be set, because tracing.endpoint is;")
    line = problem(changed("tracing", {"networks": tracing["networks"]}))
    assert line.startswith("tracing.networks must not be set, because tracing.endpoint is not")


PINNED = f"10.90.0.1:5000/base/python:3.11@{DIGEST}"


def without_tags(lock: Path, listed: Mapping[str, str]) -> dict[str, Any]:
    """Return values that do not take tags as they are, with a lock that lists these digests."""
    lock.write_text(json.dumps(listed))
    return {**VALID, "allowMutableTags": False, "imageLock": str(lock)}


def test_a_tag_without_a_digest_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    lines = problems(without_tags(tmp_path / "lock", {}))
    assert [line.split()[0] for line in lines] == [
        "build.baseImage",
        "build.buildImage",
        "monitoring.image",
        "monitoring.alertmanagerImage",
        "catalog.database.image",
    ]
    for line in lines:
        assert "a tag can be another image tomorrow" in line
        assert "imageLock" in line
        assert "allowMutableTags" in line


def test_a_tag_that_the_lock_lists_is_pinned_to_its_digest(tmp_path: Path) -> None:
    monitoring = VALID["monitoring"]
    database = VALID["catalog"]["database"]["image"]
    tagged = [*VALID["build"].values(), monitoring["image"], monitoring["alertmanagerImage"], database]
    read = parsed(without_tags(tmp_path / "lock", dict.fromkeys(tagged, DIGEST)))
    chosen, _ = read.database("catalog")
    assert isinstance(read.monitoring, PrometheusServer)
    assert isinstance(chosen, Postgres)
    images = [read.build.base_image, read.build.build_image]
    found = [*images, read.monitoring.image, read.monitoring.alertmanager_image, chosen.image]
    assert found == [f"{image}@{DIGEST}" for image in tagged]


def test_an_image_with_a_digest_needs_no_lock() -> None:
    build = {"baseImage": PINNED, "buildImage": PINNED}
    values = {**changed("catalog.database.image", PINNED), "build": build, "monitoring": OPERATOR}
    assert parsed({**values, "allowMutableTags": False}).build.base_image == PINNED


@pytest.mark.parametrize("content", ["", "[]", '"x"', '{"a/b:1": "sha256:1"}', '{"a/b:1": 7}'])
def test_a_lock_that_is_none_is_the_only_thing_reported(content: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(content)
    values = {**VALID, "allowMutableTags": False, "imageLock": str(tmp_path / "lock")}
    assert problem(values).startswith("imageLock must be the path of a readable JSON file")


def test_an_autoscaler_must_have_room_above_the_fewest_pods() -> None:
    line = problem(changed("webapp.autoscaling", {"maxReplicas": 3}))
    assert line.startswith("webapp.autoscaling must have maxReplicas above replicas (3), found 3")


@pytest.fixture
def two_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the settings know of no services but two, so that what all ask for together does not change with the map."""
    monkeypatch.setattr(settings, "_FIELDS", {"catalog": "catalog", "webapp": "webapp"})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "quota.pods",
            17,
            (
                "pods 18 (catalog 6, webapp 6, catalog-database 1, catalog-database-backup 2, catalog-migration 1, "
                "prometheus 1, alertmanager 1), found 17"
            ),
        ),
        (
            "quota.cpu",
            "770m",
            (
                "cpu 0.78 (catalog 0.3, webapp 0.3, catalog-database 0.05, catalog-database-backup 0.02, "
                "catalog-migration 0.05, prometheus 0.05, alertmanager 0.01), found 770m"
            ),
        ),
        (
            "quota.memory",
            "1503Mi",
            (
                "memory 1504Mi (catalog 576Mi, webapp 576Mi, catalog-database 64Mi, catalog-database-backup 64Mi, "
                "catalog-migration 96Mi, prometheus 96Mi, alertmanager 32Mi), found 1503Mi"
            ),
        ),
        (
            "quota.ephemeralStorage",
            "735Mi",
            (
                "ephemeral_storage 736Mi (catalog 192Mi, webapp 192Mi, catalog-database 16Mi, catalog-database-backup "
                "32Mi, catalog-migration 32Mi, prometheus 256Mi, alertmanager 16Mi), found 735Mi"
            ),
        ),
        ("webapp.replicas", 30, "pods 72 (catalog 6, webapp 60, "),
        ("webapp.autoscaling", {"maxReplicas": 30}, "pods 72 (catalog 6, webapp 60, "),
        ("catalog.replicas", 30, "pods 72 (catalog 60, webapp 6, "),
        (
            "catalog.database",
            {**CLOUD_NATIVE_PG, "instances": 9},
            "pods 25 (catalog 6, webapp 6, catalog-database 10, catalog-migration 1, prometheus 1, alertmanager 1)",
        ),
    ],
)
@pytest.mark.usefixtures("two_services")
def test_a_quota_without_room_for_a_rollout_of_everything_is_refused(path: str, value: Any, said: str) -> None:
    values = changed(path, value)
    # So that there is too little room for what has none in the whole of the default.
    values.setdefault("quota", {} if "replicas" in path or "autoscaling" in path else {"pods": 24})
    line = problem(values)
    assert line.startswith("quota must hold what all services ask for at most")
    assert said in line


@pytest.mark.usefixtures("two_services")
def test_exactly_the_room_that_is_needed_is_accepted() -> None:
    quota = {"pods": 18, "cpu": "780m", "memory": "1504Mi", "ephemeralStorage": "736Mi"}
    assert parsed({**VALID, "quota": quota}).quota.pods == 18


@pytest.mark.usefixtures("two_services")
def test_a_database_that_somebody_else_runs_asks_for_no_room() -> None:
    values = {**changed("catalog.database", MANAGED), "quota": {"pods": 15}, DATABASE_PASSWORD: "hush"}
    assert parsed(values, DATABASE_PASSWORD).quota.pods == 15
    line = problem({**values, "quota": {"pods": 14}}, DATABASE_PASSWORD)
    assert "pods 15 (catalog 6, webapp 6, catalog-migration 1, prometheus 1, alertmanager 1), found 14" in line


def test_secrets_of_the_service_are_read_where_they_are_encrypted() -> None:
    values = {**VALID, "webappSecrets": {"token": "hush"}}
    assert parsed(values, "webappSecrets").secrets("webapp")["token"].get_secret_value() == "hush"
    assert problem(values) == "webappSecrets must be encrypted, found plain text"


def test_a_wrong_secret_is_named_and_not_shown() -> None:
    lines = problems({**VALID, "webappSecrets": {"a/b": "hush", "c": 7081}}, "webappSecrets")
    assert [line.split()[0] for line in lines] == ['webappSecrets["a/b"]', "webappSecrets.c"]
    assert "hush" not in " ".join(lines)
    assert "7081" not in " ".join(lines)


def test_what_only_buildkit_can_do_is_refused_with_the_docker_builder(certificates: Path) -> None:
    build = {
        **VALID["build"],
        "builder": "docker",
        "builderName": "cloudnative",
        "platforms": ["linux/amd64", "linux/arm64"],
        "caCertificates": str(certificates),
    }
    lines = problems({**VALID, "build": build})
    assert [line.split()[0] for line in lines] == ["build.builderName", "build.platforms", "build.caCertificates"]
    assert all("use the builder buildkit" in line for line in lines)


def test_the_same_is_accepted_with_buildkit(certificates: Path) -> None:
    values = changed("build.caCertificates", str(certificates))
    values["build"]["platforms"] = ["linux/amd64", "linux/arm64"]
    assert parsed(values).build.platforms == ("linux/amd64", "linux/arm64")


def test_a_kubeconfig_that_exists_is_accepted(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    assert parsed(changed("cluster.kubeconfig", str(kubeconfig))).cluster.kubeconfig == str(kubeconfig)


def test_user_and_secret_password_together_are_accepted() -> None:
    values = {**changed("registry.username", "ci"), "registryPassword": "hush"}
    assert parsed(values, "registryPassword").registry_password.get_secret_value() == "hush"


def test_a_user_without_password_is_refused() -> None:
    assert problem(changed("registry.username", "ci")).startswith("registryPassword must be set, because")


def test_a_user_without_password_is_refused_where_the_key_is_left_out() -> None:
    values = changed("registry.username", "ci")
    del values["registryPassword"]
    assert problem(values).startswith("registryPassword must be set, because")


def test_a_password_without_user_is_refused() -> None:
    assert problem({**VALID, "registryPassword": "hush"}, "registryPassword").startswith("registryPassword must not be")


def test_a_plain_password_is_refused_with_the_command_that_encrypts_it() -> None:
    values = {**changed("registry.username", "ci"), "registryPassword": "hush"}
    with pytest.raises(SettingsError, match="registryPassword must be encrypted") as error:
        parsed(values)
    assert "pulumi config set --secret --path 'registryPassword' VALUE" in str(error.value)


def test_a_secret_anywhere_else_is_refused() -> None:
    assert problem(VALID, "webapp") == (
        f"webapp must not hold a secret, which it would not keep; only {', '.join(settings.SECRETS)} do"
    )


def test_a_webhooks_url_is_read_where_it_is_encrypted() -> None:
    values = {**VALID, "alertWebhookUrl": "https://hooks.example.com/hush"}
    assert parsed(values, "alertWebhookUrl").alert_webhook_url.get_secret_value() == values["alertWebhookUrl"]
    assert problem(values) == "alertWebhookUrl must be encrypted, found plain text"


@pytest.mark.parametrize("url", ["hush", "ftp://hush", "https://", "https://hush:x", "https://hush:99999"])
def test_what_is_no_url_of_a_webhook_is_named_and_not_shown(url: str) -> None:
    line = problem({**VALID, "alertWebhookUrl": url}, "alertWebhookUrl")
    assert line.startswith("alertWebhookUrl must be an http or https URL")
    assert "hush" not in line


# Where another kind than in VALID is chosen, the object with it, and of it: key, wrong value, limit.
OTHER_KINDS: dict[str, tuple[str, dict[str, Any], list[tuple[str, Any, str]]]] = {
    "operator": (
        "monitoring",
        OPERATOR,
        [
            ("labels", "release", "an object of Kubernetes labels"),
            ("namespace", "A", "lower-case letters, digits and hyphens, at most 63"),
            ("runbooks", "", "a non-empty string"),
            ("scrapeIntervalSeconds", 0, "a whole number from 1 to 300"),
            ("signals", "cadvisor", "a list, each one of kube-state-metrics, cadvisor"),
            ("windowDivisor", 10, "a divisor of 300 that leaves the shortest window, 300 s, at least 4 scrapes long"),
        ],
    ),
    "managed": (
        "catalog.database",
        MANAGED,
        [
            ("host", "https://db.example.com", "a DNS name in lower case"),
            ("port", 0, "a whole number from 1 to 65535"),
            ("dbname", "", "a non-empty string"),
            ("username", 7, "a non-empty string"),
            ("ca", "", "a non-empty string"),
            ("networks", [], "a list of at least 1 network in CIDR notation"),
        ],
    ),
    "cloudnative-pg": (
        "catalog.database",
        CLOUD_NATIVE_PG,
        [
            ("storage", "1GB", "a positive Kubernetes quantity"),
            ("storageClass", "", "lower-case letters, digits and hyphens, at most 63"),
            ("droppable", 1, "true or false"),
            ("instances", 10, "a whole number from 1 to 9"),
            ("image", "postgres", "an image with a digest or a tag other than latest"),
            ("operatorNamespace", "CNPG", "lower-case letters, digits and hyphens, at most 63"),
            ("apiServer", "10.90.0.1", "a list of at least 1 network in CIDR notation"),
        ],
    ),
    "cert-manager": (
        "gateway.certificate",
        CERT_MANAGER,
        [
            ("issuer", "Lets Encrypt", "a DNS name in lower case"),
            ("issuerKind", "Authority", "one of ClusterIssuer, Issuer"),
        ],
    ),
}


@pytest.mark.parametrize(
    ("path", "chosen", "key", "value", "limit"),
    [(path, chosen, *each) for path, chosen, wrong in OTHER_KINDS.values() for each in wrong],
)
def test_a_wrong_value_is_refused_with_another_kind_too(
    path: str, chosen: dict[str, Any], key: str, value: Any, limit: str
) -> None:
    line = problem(changed(path, {**chosen, key: value}))
    assert line.startswith(f"{path}.{key} must be {limit}")
    assert f", found {json.dumps(value)}" in line.replace("'", '"')


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_there_is_a_wrong_value_for_every_key_of_another_kind(kind: str) -> None:
    path, _, wrong = OTHER_KINDS[kind]
    _, schema = config_schema.locate(settings.schema(), (*path.split("."), kind))
    assert schema["properties"].keys() - {"kind"} == {key for key, _, _ in wrong}


@pytest.mark.parametrize(
    ("path", "chosen", "key"),
    [
        (path, chosen, key)
        for path, chosen, _ in OTHER_KINDS.values()
        for key in chosen
        if key != "kind"  # which is missing in the same way for all
    ],
)
def test_a_missing_key_of_another_kind_is_named_too(path: str, chosen: dict[str, Any], key: str) -> None:
    less = {name: value for name, value in chosen.items() if name != key}
    assert problem(changed(path, less)).startswith(f"{path}.{key} is missing; it must be ")


def test_a_signal_that_there_is_not_is_named_by_its_place() -> None:
    values = {**VALID, "monitoring": {**OPERATOR, "signals": ["cadvisor", "node-exporter"]}}
    assert problem(values) == (
        'monitoring.signals[1] must be one of kube-state-metrics, cadvisor, found "node-exporter"'
    )


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [(VALID["catalog"]["database"], Postgres), (MANAGED, Managed), (CLOUD_NATIVE_PG, CloudNativePg)],
    ids=["own", "managed", "operator"],
)
def test_one_key_chooses_what_a_database_runs_on(chosen: dict[str, Any], kind: type) -> None:
    password = {DATABASE_PASSWORD: "hush"} if chosen is MANAGED else {}
    read = parsed({**changed("catalog.database", chosen), **password}, *password)
    keys, found = read.database("catalog")
    assert isinstance(keys, kind)
    assert found == password.get(DATABASE_PASSWORD, "")


def test_who_owns_no_database_has_none() -> None:
    with pytest.raises(TypeError, match="webapp owns no database"):
        parsed(VALID).database("webapp")


def test_a_managed_database_has_a_password_that_somebody_sets() -> None:
    assert problem(changed("catalog.database", MANAGED)) == (
        "catalogDatabasePassword must be set, because catalog.database is of kind managed"
    )


@pytest.mark.parametrize("chosen", [VALID["catalog"]["database"], CLOUD_NATIVE_PG], ids=lambda chosen: chosen["kind"])
def test_any_other_database_makes_its_own_password(chosen: dict[str, Any]) -> None:
    values = {**changed("catalog.database", chosen), DATABASE_PASSWORD: "hush"}
    assert problem(values, DATABASE_PASSWORD) == (
        f"catalogDatabasePassword must not be set, because catalog.database is of kind {chosen['kind']}, which makes "
        "its own"
    )


def test_a_databases_password_is_read_where_it_is_encrypted() -> None:
    values = {**changed("catalog.database", MANAGED), DATABASE_PASSWORD: "hush"}
    assert problems(values) == ["catalogDatabasePassword must be encrypted, found plain text"]
    assert "hush" not in repr(parsed(values, DATABASE_PASSWORD))


@pytest.mark.parametrize("values", [without("gateway"), {**VALID, "gateway": {}}], ids=["left out", "empty"])
def test_no_gateway_and_an_empty_one_are_the_same(values: dict[str, Any]) -> None:
    assert parsed(values).gateway is None


def test_a_gateway_that_cannot_ask_for_a_key_is_refused_where_the_map_wants_one() -> None:
    line = problem({**VALID, "gateway": PLAIN_GATEWAY})
    guarded = ", ".join(service.name for service in SERVICES if service.needs_key)
    assert line.startswith(
        f"gateway.extensions must be traefik, as the gateway is to ask for an API key before {guarded}, found none; "
    )
    assert "take `needs_key` out of services.py" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rateLimit", {"requestsPerSecond": 5, "burst": 9}),
        ("maxBodyBytes", 1024),
        ("sourceRanges", ["192.0.2.0/24"]),
        ("metrics", {}),
    ],
)
def test_what_only_extensions_can_do_is_refused_without_them(key: str, value: Any) -> None:
    line = problem({**VALID, "gateway": {**PLAIN_GATEWAY, key: value}})
    assert line.startswith(f"gateway.{key} must not be set, because gateway.extensions is not")


def test_a_time_limit_that_traefik_would_ignore_is_refused() -> None:
    line = problem(changed("gateway.timeoutSeconds", 30))
    assert line.startswith("gateway.timeoutSeconds must not be set with the extensions of traefik, found 30")


def test_an_address_has_no_certificate_of_cert_manager() -> None:
    line = problem(changed("gateway.certificate", CERT_MANAGER))
    assert line.startswith("gateway.certificate must be of kind own where host is an address (10.90.1.1)")
    gateway = {**VALID["gateway"], "host": "shop.example.com", "certificate": CERT_MANAGER}
    assert parsed({**VALID, "gateway": gateway}).gateway


def test_the_gateways_metrics_are_read_where_they_are_said_to_be_and_only_there() -> None:
    without_metrics, with_metrics = parsed(VALID).gateway, parsed(changed("gateway.metrics", {"port": 9101})).gateway
    assert without_metrics
    assert with_metrics
    assert without_metrics.source("gateway") is None
    found = with_metrics.source("gateway")
    assert isinstance(found, Traefik)
    assert (found.namespace, found.service, found.port) == ("traefik", "traefik-metrics", 9101)


def test_no_error_shows_the_value_of_a_secret() -> None:
    values = {
        **changed("webapp.replicas", "hush"),
        "registryPassword": "hush",
        "cluster": {"context": "c", "namespace": "Hush"},
        "xyz": "hush",
    }
    values["webapp"]["resources"] = {"cpuLimit": "hush"}
    with pytest.raises(SettingsError) as error:
        parsed(values, "registryPassword", "webapp", "cluster", "xyz")
    assert "hush" not in str(error.value).lower()
    assert "hush" not in repr(
        parsed({**changed("registry.username", "c"), "registryPassword": "hush"}, "registryPassword")
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    lines = problems(
        {
            "environment": "Dev",
            "allowMutableTags": True,
            "cluster": {"context": ""},
            "registry": {"address": "http://x", "user": "ci"},
            "registryPassword": "hush",
            "build": {"builder": "kaniko", "baseImage": "python"},
            "webapp": {"replicas": 0, "port": 80, "resources": {"cpuLimit": "x"}, "config": {"A-B": "1"}},
            "webap": {},
            **{key: {} for key in settings.SERVICE_KEYS if key not in ("catalog", "webapp")},
            "monitoring": {"kind": "prometheus", "retention": "x"},
        }
    )
    assert [line.split()[0] for line in lines] == [
        "registryPassword",
        "environment",
        "owner",
        "cluster.context",
        "cluster.namespace",
        "registry.address",
        "registry.user",
        "build.builder",
        "build.baseImage",
        "build.buildImage",
        "monitoring.image",
        "monitoring.alertmanagerImage",
        "monitoring.retention",
        "monitoring.apiServer",
        "catalog",
        "webapp.replicas",
        "webapp.port",
        "webapp.resources.cpuLimit",
        'webapp.config["A-B"]',
        "webap",
    ]


def test_the_error_counts_says_that_nothing_was_touched_and_what_to_do() -> None:
    with pytest.raises(SettingsError) as error:
        parsed(changed("webapp.replicas", 0))
    first, _, *rest = str(error.value).splitlines()
    assert first == "the configuration is wrong in 1 place; nothing was touched:"
    assert "pulumi config set --path 'webapp.replicas' VALUE" in rest[0]


def test_a_long_value_is_cut() -> None:
    assert len(problem(changed("webapp.logLevel", "x" * 500))) < 200


def test_the_configuration_is_read_with_the_projects_name_and_its_secrets() -> None:
    config = {f"{PROJECT}:{key}": encoded(value) for key, value in changed("webapp.replicas", 0).items()}

    with pytest.raises(SettingsError) as error:
        run(settings.load, config={**config, "other:webapp": "x"}, secrets=[f"{PROJECT}:build"])
    lines = [line.strip() for line in str(error.value).splitlines()[1:3]]
    assert [line.split()[0] for line in lines] == ["cloudnative:build", "cloudnative:webapp.replicas"]


def test_pulumi_yaml_declares_exactly_the_keys_and_types_that_are_read() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    schema = settings.schema()["properties"]
    read = {
        key: part["type"] if part.get("type") in ("string", "boolean") else "object" for key, part in schema.items()
    }
    assert {key: part["type"] for key, part in declared.items()} == read


def test_pulumi_yaml_lets_no_key_be_missing_so_that_the_error_here_can_name_all_at_once() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    empty = {"string": "", "object": {}, "boolean": False}
    assert {key: part["default"] for key, part in declared.items()} == {
        key: empty[part["type"]] for key, part in declared.items()
    }
