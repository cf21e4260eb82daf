"""Scraping by the cluster's Prometheus Operator."""

from typing import Any

import pytest

from components.monitoring import Monitoring, MonitoringArgs
from components.scrape_config import ScrapeTarget, service_monitor_spec
from tests.unit.program.harness import LABELS, Registered, run

WEBAPP = ScrapeTarget(
    name="webapp",
    service="webapp-metrics",
    selector=LABELS.of("webapp", "metrics"),
    pods=LABELS.selector("webapp"),
    ports=["metrics"],
    port="metrics",
)
CATALOG = ScrapeTarget(
    name="catalog",
    service="catalog",
    selector=LABELS.of("catalog", "metrics"),
    pods=LABELS.selector("catalog"),
    ports=["metrics"],
    port="metrics",
)


def args(**changes: Any) -> MonitoringArgs:
    return MonitoringArgs(
        **{
            "namespace": "cloudnative-prod",
            "labels": LABELS,
            "targets": [WEBAPP, CATALOG],
            "scrape_interval_seconds": 15,
            "selected_by": {"release": "prometheus"},
            **changes,
        }
    )


def monitors() -> dict[str, Registered]:
    found = run(lambda: Monitoring("monitoring", args())).all("ServiceMonitor")
    return {monitor.inputs["metadata"]["name"]: monitor for monitor in found}


def test_each_service_has_a_service_monitor_of_its_name() -> None:
    assert monitors().keys() == {"webapp", "catalog"}


def test_a_service_monitor_is_of_the_operators_stable_version() -> None:
    assert {monitor.inputs["apiVersion"] for monitor in monitors().values()} == {"monitoring.coreos.com/v1"}


def test_a_service_monitor_stands_in_the_stacks_namespace_and_has_the_labels_that_it_is_selected_by() -> None:
    metadata = monitors()["webapp"].inputs["metadata"]
    assert metadata["namespace"] == "cloudnative-prod"
    assert metadata["labels"] == {"release": "prometheus", **LABELS.of("webapp", "monitoring")}


def test_a_service_monitor_says_what_the_target_says() -> None:
    assert monitors()["catalog"].inputs["spec"] == service_monitor_spec(CATALOG, 15)


def test_the_label_that_names_the_job_holds_the_services_name() -> None:
    spec = monitors()["webapp"].inputs["spec"]
    assert spec["selector"]["matchLabels"][spec["jobLabel"]] == "webapp"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selected_by": {"a": "b c"}}, "selected_by must be a Kubernetes label"),
        ({"targets": []}, "targets must name at least one service"),
    ],
    ids=["selected_by", "targets"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)
