"""The environment: defaults, limits, and every error at once."""

import dataclasses
from pathlib import Path

import pytest
from chassis.config import Call, Config, ConfigError
from webapp.config import Config as WebappConfig

from tests.app.conftest import Start
from tests.app.gunicorn_process import PATIENCE_SECONDS


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Config.from_env({}) == Config()


def test_every_field_is_read_from_its_variable() -> None:
    config = Config.from_env(
        {
            "APP_VERSION": "2026.11.23-rc.1+abc",
            "POD_NAME": "webapp-7d9f-x2",
            "ENVIRONMENT": "staging",
            "HOST": "127.0.0.1",
            "PORT": "1024",
            "METRICS_PORT": "65535",
            "PROMETHEUS_MULTIPROC_DIR": "/tmp/metrics",
            "WORKERS": "64",
            "THREADS": "1",
            "DRAIN_SECONDS": "0.25",
            "GRACEFUL_TIMEOUT_SECONDS": "300",
            "LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com:4318/",
            "FAULT_ERROR_PERCENT": "100",
            "FAULT_DELAY_SECONDS": "0.5",
        }
    )
    assert config == Config(
        version="2026.11.23-rc.1+abc",
        pod="webapp-7d9f-x2",
        environment="staging",
        host="127.0.0.1",
        port=1024,
        metrics_port=65535,
        metrics_dir=Path("/tmp/metrics"),
        workers=64,
        threads=1,
        drain_seconds=0.25,
        graceful_timeout_seconds=300,
        log_level="debug",
        otlp_endpoint="https://otel.example.com:4318",
        fault_error_percent=100,
        fault_delay_seconds=0.5,
    )


BAD = [
    ("APP_VERSION", ""),
    ("APP_VERSION", "1.0 beta"),
    ("POD_NAME", "-pod"),
    ("POD_NAME", "x" * 254),
    ("ENVIRONMENT", "<prod>"),
    ("HOST", "localhost"),
    ("HOST", "::"),
    ("PORT", "http"),
    ("PORT", "80"),
    ("PORT", "65536"),
    ("PORT", "8_080"),
    ("PORT", " 8080"),
    ("PORT", "9999999999"),
    ("METRICS_PORT", "8080"),
    ("METRICS_PORT", "tcp://10.96.0.7:80"),
    ("PROMETHEUS_MULTIPROC_DIR", "metrics"),
    ("PROMETHEUS_MULTIPROC_DIR", ""),
    ("WORKERS", "0"),
    ("WORKERS", "65"),
    ("WORKERS", "2.5"),
    ("THREADS", "0"),
    ("THREADS", "257"),
    ("DRAIN_SECONDS", "-1"),
    ("DRAIN_SECONDS", "300.1"),
    ("DRAIN_SECONDS", "nan"),
    ("DRAIN_SECONDS", "1e2"),
    ("DRAIN_SECONDS", "5s"),
    ("GRACEFUL_TIMEOUT_SECONDS", "0"),
    ("GRACEFUL_TIMEOUT_SECONDS", "1.5"),
    ("LOG_LEVEL", "INFO"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4318"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://otel:4317"),
    ("FAULT_ERROR_PERCENT", "101"),
    ("FAULT_ERROR_PERCENT", "5%"),
    ("FAULT_DELAY_SECONDS", "30.5"),
    ("FAULT_DELAY_SECONDS", "-1"),
]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_is_refused_with_its_variable_and_itself(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_env({variable: value})
    (problem,) = str(error.value).splitlines()[1:]
    assert problem.startswith(f"  {variable}: ")
    assert value in problem


def test_all_bad_values_are_named_in_one_error() -> None:
    bad = dict(BAD)
    with pytest.raises(ConfigError) as error:
        Config.from_env(bad)
    assert [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]] == list(bad)


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]  # that is what is tested


CATALOG = {"CATALOG_URL": "http://catalog/", "CATALOG_TIMEOUT_SECONDS": "0.25", "CATALOG_RETRIES": "0"}


def test_a_declared_call_is_read_from_the_variables_named_after_its_callee() -> None:
    call = Call(callee="catalog", url="http://catalog", timeout_seconds=0.25, retries=0)
    assert WebappConfig.from_env(CATALOG) == WebappConfig(catalog=call)


def test_without_an_address_there_is_no_call() -> None:
    assert WebappConfig.from_env({}).catalog is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CATALOG_URL", "catalog"),
        ("CATALOG_URL", "http://catalog/api"),
        ("CATALOG_TIMEOUT_SECONDS", "0"),
        ("CATALOG_TIMEOUT_SECONDS", "31"),
        ("CATALOG_RETRIES", "6"),
        ("CATALOG_RETRIES", "-1"),
    ],
)
def test_a_bad_value_of_a_call_is_refused_likewise(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"webapp cannot start, its environment is wrong:\n  {variable}: '{value}'"):
        WebappConfig.from_env({**CATALOG, variable: value})


@pytest.mark.slow
def test_the_server_does_not_start_with_bad_values(start: Start) -> None:
    process = start(WORKERS="none", THREADS="0", CATALOG_RETRIES="many")
    assert process.process.wait(PATIENCE_SECONDS) == 1
    assert process.stderr().splitlines() == [
        "webapp cannot start, its environment is wrong:",
        "  WORKERS: 'none' is not a whole number from 1 to 64",
        "  THREADS: '0' is not a whole number from 1 to 256",
        "  CATALOG_RETRIES: 'many' is not a whole number from 0 to 5",
    ]


@pytest.mark.slow
def test_the_server_does_not_start_without_a_service(start: Start) -> None:
    process = start(SERVICE="")
    assert process.process.wait(PATIENCE_SECONDS) == 1
    assert process.stderr().startswith("SERVICE is not set: ")
