"""What is scraped: pure functions, whose result Prometheus' own promtool reads."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.scrape_config import ScrapeTarget, scrape_config, service_monitor_spec
from components.signals import Sources
from tests.unit.program.examples import CATALOG, NAMESPACE, SOURCES, WEBAPP
from tests.unit.program.harness import LABELS
from tests.unit.program.promtool import about_config

NOWHERE = Sources()


def text(
    targets: Sequence[ScrapeTarget], interval: int = 5, *, sources: Sources = NOWHERE, rules: str = "rules.yml"
) -> str:
    return scrape_config(targets, interval, sources=sources, alertmanager="alertmanager:9093", rules=rules)


def jobs(*targets: ScrapeTarget) -> list[dict[str, Any]]:
    config: dict[str, list[dict[str, Any]]] = yaml.safe_load(text(targets))
    return config["scrape_configs"]


def keeps(job: dict[str, Any], service: str, port: str) -> bool:
    """Tell whether a job keeps what discovery finds for one port of one Service, by Prometheus' own rules."""
    found = {"__meta_kubernetes_service_name": service, "__meta_kubernetes_endpointslice_port_name": port}
    keep = next(rule for rule in job["relabel_configs"] if rule.get("action") == "keep")
    return bool(re.fullmatch(keep["regex"], ";".join(found[label] for label in keep["source_labels"])))


@pytest.mark.parametrize("targets", [[WEBAPP], [WEBAPP, CATALOG]], ids=["one", "two"])
@pytest.mark.parametrize("interval", [1, 5, 300])
@pytest.mark.parametrize("sources", [NOWHERE, SOURCES], ids=["no signals", "all signals"])
def test_promtool_accepts_the_configuration(
    targets: list[ScrapeTarget], interval: int, sources: Sources, promtool: Path, tmp_path: Path
) -> None:
    files = {"prometheus.yml": text(targets, interval, sources=sources), "rules.yml": "groups: []"}
    assert not about_config(promtool, files, tmp_path)


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


def test_each_signal_that_is_there_has_a_job_and_no_other() -> None:
    found = {
        (sources is SOURCES): [
            job["job_name"] for job in yaml.safe_load(text([WEBAPP], sources=sources))["scrape_configs"]
        ]
        for sources in (NOWHERE, SOURCES)
    }
    assert found == {False: ["webapp"], True: ["webapp", "kube-state-metrics", "cadvisor", "gateway"]}


def test_of_the_clusters_signals_what_is_about_other_namespaces_is_dropped_before_it_is_stored() -> None:
    for job in yaml.safe_load(text([WEBAPP], sources=SOURCES))["scrape_configs"][1:3]:
        (keep,) = job["metric_relabel_configs"]
        assert keep == {"action": "keep", "source_labels": ["namespace"], "regex": NAMESPACE}
        # Else the labels of the source itself would stand where those of the pods belong.
        assert job["honor_labels"] is True


def test_a_kubelet_is_asked_by_tls_with_the_servers_own_token() -> None:
    job = yaml.safe_load(text([WEBAPP], sources=SOURCES))["scrape_configs"][2]
    assert (job["scheme"], job["metrics_path"]) == ("https", "/metrics/cadvisor")
    assert job["tls_config"].keys() == {"ca_file"}
    assert job["authorization"]["credentials_file"].endswith("/token")


def of_router(router: str) -> dict[str, str] | None:
    """Return the labels of a series of the gateway, by Prometheus' own rules; None if it is dropped."""
    job = yaml.safe_load(text([WEBAPP], sources=SOURCES))["scrape_configs"][-1]
    labels = {"router": router, "service": f"{router}-wrr", "code": "200"}
    for rule in job["metric_relabel_configs"]:
        found = re.fullmatch(rule.get("regex", ".*"), ";".join(labels[name] for name in rule.get("source_labels", [])))
        match rule.get("action", "replace"):
            case "keep":
                if not found:
                    return None
            case "labeldrop":
                labels = {name: value for name, value in labels.items() if not re.fullmatch(rule["regex"], name)}
            case "replace":
                assert found
                labels[rule["target_label"]] = rule.get("replacement") or found[1]
    return labels


@pytest.mark.parametrize(
    ("router", "route"),
    [
        (f"httproute-{NAMESPACE}-webapp-gw-{NAMESPACE}-gateway-ep-websecure-0-1f@kubernetesgateway", "webapp"),
        (f"httproute-{NAMESPACE}-my-shop-gw-{NAMESPACE}-gateway-ep-web-0-1f@kubernetesgateway", "my-shop"),
        (f"httproute-{NAMESPACE}-2-webapp-gw-{NAMESPACE}-2-gateway-ep-websecure-0-1f@kubernetesgateway", None),
        (f"httproute-{NAMESPACE}-webapp-gw-{NAMESPACE}-other-ep-websecure-0-1f@kubernetesgateway", None),
        (f"httproute-my-{NAMESPACE}-webapp-gw-my-{NAMESPACE}-gateway-ep-websecure-0-1f@kubernetesgateway", None),
        ("httproute-other-webapp-gw-other-gateway-ep-websecure-0-1f@kubernetesgateway", None),
        ("prometheus@internal", None),
        ("", None),
    ],
)
def test_of_the_gateways_series_those_of_the_stacks_own_routes_are_kept_by_the_routes_names(
    router: str, route: str | None
) -> None:
    kept = {"code": "200", "namespace": NAMESPACE, "route": route} if route else None
    assert of_router(router) == kept


def test_rules_are_read_and_alerts_sent_where_the_arguments_say() -> None:
    config = yaml.safe_load(text([WEBAPP], 7, rules="/etc/x.yml"))
    assert config["rule_files"] == ["/etc/x.yml"]
    assert config["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]
    assert config["global"]["evaluation_interval"] == "7s"


def test_a_target_is_labelled_with_namespace_pod_and_service() -> None:
    labels = {rule["target_label"] for rule in jobs(WEBAPP)[0]["relabel_configs"] if "target_label" in rule}
    assert labels == {"namespace", "pod", "service"}


def test_the_text_does_not_depend_on_the_order_of_the_services() -> None:
    assert text([WEBAPP, CATALOG]) == text([CATALOG, WEBAPP])


def test_a_scrape_never_outlasts_its_interval() -> None:
    found = {interval: yaml.safe_load(text([WEBAPP], interval))["global"] for interval in (1, 10, 60)}
    assert {interval: one["scrape_timeout"] for interval, one in found.items()} == {1: "1s", 10: "10s", 60: "10s"}


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
    assert spec["selector"] == {"matchLabels": LABELS.of("catalog", "metrics")}
    assert "namespaceSelector" not in spec
