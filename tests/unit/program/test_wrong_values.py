"""Each key by itself: what is wrong, missing or unknown is named, with what it must be."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

import config_schema
import settings
from tests.unit.program.configurations import (
    CERT_MANAGER,
    CLOUD_NATIVE_PG,
    MANAGED,
    OPERATOR,
    VALID,
    changed,
    parsed,
    problem,
    without,
)

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
    ("monitoring.published", "yes", "true or false"),
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
                "published, serviceType, sourceRanges, apiServer, kubeStateMetrics, kubelets, webhookNetworks"
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


def test_a_key_that_is_no_identifier_is_named_as_the_command_line_takes_it() -> None:
    assert problem(changed("webapp.config", {"A B": "x"})).startswith('webapp.config["A B"] must be letters')


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


def test_a_long_value_is_cut() -> None:
    assert len(problem(changed("webapp.logLevel", "x" * 500))) < 200
