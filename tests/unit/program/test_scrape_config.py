"""What is scraped: pure functions, whose result Prometheus' own checker reads."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.scrape_config import ScrapeTarget, scrape_config, service_monitor_spec

WEBAPP = ScrapeTarget(
    name="webapp",
    service="webapp-metrics",
    selector={"name": "webapp"},
    pods={"name": "webapp"},
    ports=["metrics"],
    port="metrics",
)
CATALOG = ScrapeTarget(
    name="catalog",
    service="catalog",
    selector={"name": "catalog"},
    pods={"name": "catalog"},
    ports=["http"],
    port="http",
    path="/m",
)


def jobs(*targets: ScrapeTarget) -> list[dict[str, Any]]:
    config: dict[str, list[dict[str, Any]]] = yaml.safe_load(scrape_config(targets, 5))
    return config["scrape_configs"]


def keeps(job: dict[str, Any], service: str, port: str) -> bool:
    """Tell whether a job keeps what discovery finds for one port of one Service, by Prometheus' own rules."""
    found = {"__meta_kubernetes_service_name": service, "__meta_kubernetes_endpointslice_port_name": port}
    keep = next(rule for rule in job["relabel_configs"] if rule.get("action") == "keep")
    return bool(re.fullmatch(keep["regex"], ";".join(found[label] for label in keep["source_labels"])))


@pytest.mark.parametrize("targets", [[WEBAPP], [WEBAPP, CATALOG]], ids=["one", "two"])
@pytest.mark.parametrize("interval", [1, 5, 300])
def test_promtool_accepts_the_configuration(
    targets: list[ScrapeTarget], interval: int, promtool: Path, tmp_path: Path
) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(scrape_config(targets, interval))
    result = subprocess.run([str(promtool), "check", "config", str(file)], capture_output=True, text=True, check=False)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_service_has_exactly_one_job() -> None:
    assert [job["job_name"] for job in jobs(WEBAPP, CATALOG)] == ["catalog", "webapp"]


@pytest.mark.parametrize(
    ("service", "port", "kept"),
    [
        ("webapp-metrics", "metrics", True),
        ("webapp-metrics", "http", False),
        ("webapp", "metrics", False),
        ("webapp-metrics-2", "metrics", False),
        ("my-webapp-metrics", "metrics", False),
        ("catalog", "http", False),
    ],
)
def test_a_job_keeps_the_declared_port_of_the_declared_service_only(service: str, port: str, *, kept: bool) -> None:
    assert keeps(jobs(WEBAPP)[0], service, port) is kept


def test_discovery_looks_only_into_the_servers_own_namespace() -> None:
    for job in jobs(WEBAPP, CATALOG):
        assert [discovery["namespaces"] for discovery in job["kubernetes_sd_configs"]] == [{"own_namespace": True}]


def test_every_job_discovers_in_the_same_way_so_that_prometheus_watches_once() -> None:
    first, second = jobs(WEBAPP, CATALOG)
    assert first["kubernetes_sd_configs"] == second["kubernetes_sd_configs"]


def test_a_target_is_labelled_with_namespace_pod_and_service() -> None:
    labels = {rule["target_label"] for rule in jobs(WEBAPP)[0]["relabel_configs"] if "target_label" in rule}
    assert labels == {"namespace", "pod", "service"}


def test_the_text_does_not_depend_on_the_order_of_the_services() -> None:
    assert scrape_config([WEBAPP, CATALOG], 5) == scrape_config([CATALOG, WEBAPP], 5)


def test_a_scrape_never_outlasts_its_interval() -> None:
    texts = {interval: yaml.safe_load(scrape_config([WEBAPP], interval))["global"] for interval in (1, 10, 60)}
    assert {interval: text["scrape_timeout"] for interval, text in texts.items()} == {1: "1s", 10: "10s", 60: "10s"}


def test_both_back_ends_give_a_target_the_same_job_and_service() -> None:
    spec = service_monitor_spec(WEBAPP, 15)
    own = next(rule for rule in jobs(WEBAPP)[0]["relabel_configs"] if rule.get("target_label") == "service")
    (operators,) = spec["endpoints"][0]["relabelings"]
    assert (operators["targetLabel"], operators["replacement"]) == (own["target_label"], own["replacement"])
    # The value of this label on the Service is the service's name, as tests/unit/program/test_monitoring.py shows.
    assert spec["jobLabel"] == "app.kubernetes.io/name"


def test_a_service_monitor_scrapes_the_declared_port_and_path_in_its_own_namespace() -> None:
    spec = service_monitor_spec(CATALOG, 15)
    (endpoint,) = spec["endpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/m", "15s")
    assert spec["selector"] == {"matchLabels": {"name": "catalog"}}
    assert "namespaceSelector" not in spec
