"""The keys of a service: defaults, and what does not go together."""

import pytest

from tests.unit.program.configurations import VALID, changed, parsed, problem, problems


def test_the_defaults_are_the_example_that_the_project_comes_from() -> None:
    webapp = parsed(VALID).services["webapp"]
    assert (webapp.replicas, webapp.port, webapp.service_port, webapp.metrics_port) == (3, 8080, 80, 9102)
    assert (webapp.timeout_seconds, webapp.service_type, webapp.config) == (120, "ClusterIP", {})


def test_the_keys_of_all_services_are_the_same_but_for_the_database() -> None:
    catalog, webapp = (parsed(VALID).services[name].model_dump() for name in ("catalog", "webapp"))
    assert catalog.keys() - webapp.keys() == {"database"}
    assert webapp.keys() <= catalog.keys()


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


def test_an_autoscaler_must_have_room_above_the_fewest_pods() -> None:
    line = problem(changed("webapp.autoscaling", {"maxReplicas": 3}))
    assert line.startswith("webapp.autoscaling must have maxReplicas above replicas (3), found 3")


def test_secrets_of_the_service_are_read_where_they_are_encrypted() -> None:
    values = {**VALID, "webappSecrets": {"token": "hush"}}
    assert parsed(values, "webappSecrets").secrets("webapp")["token"].get_secret_value() == "hush"
    assert problem(values) == "webappSecrets must be encrypted, found plain text"


def test_a_wrong_secret_is_named_and_not_shown() -> None:
    lines = problems({**VALID, "webappSecrets": {"a/b": "hush", "c": 7081}}, "webappSecrets")
    assert [line.split()[0] for line in lines] == ['webappSecrets["a/b"]', "webappSecrets.c"]
    assert "hush" not in " ".join(lines)
    assert "7081" not in " ".join(lines)
