"""Scraping by the cluster's Prometheus Operator."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.monitoring import Monitoring, MonitoringArgs
from components.scrape_config import service_monitor_spec
from local import manifests
from tests.unit.program.examples import CATALOG, SERVICES
from tests.unit.program.harness import LABELS, Registered, plain_texts, run


def args(**changes: Any) -> MonitoringArgs:
    return MonitoringArgs(
        **{
            "namespace": "cloudnative-prod",
            "labels": LABELS,
            "services": SERVICES,
            "signals": ["kube-state-metrics", "cadvisor"],
            "runbooks": "docs/runbooks.md",
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


def test_rules_and_routing_have_the_components_name_and_the_labels_that_they_are_selected_by() -> None:
    made = run(lambda: Monitoring("monitoring", args()))
    for kind, version in (("PrometheusRule", "v1"), ("AlertmanagerConfig", "v1alpha1")):
        inputs = made.one(kind).inputs
        assert inputs["apiVersion"] == f"monitoring.coreos.com/{version}"
        assert (inputs["metadata"]["name"], inputs["metadata"]["namespace"]) == ("monitoring", "cloudnative-prod")
        assert inputs["metadata"]["labels"] == {"release": "prometheus", **LABELS.of("monitoring", "monitoring")}


def test_the_webhooks_url_is_in_a_secret_alone_which_the_routing_names() -> None:
    url = "https://hooks.example.com/hush"
    made = run(lambda: Monitoring("monitoring", args(webhook_url=pulumi.Output.secret(url))))
    secret = made.one("Secret")
    assert secret.inputs["stringData"] == {"url": url}
    assert not [one.name for one in made.resources if any("hush" in text for text in plain_texts(one.wire))]
    (receiver,) = made.one("AlertmanagerConfig").inputs["spec"]["receivers"]
    (sender,) = receiver["webhookConfigs"]
    assert sender["urlSecret"] == {"name": f"{secret.name}-1a2b3c4d", "key": "url"}


def test_without_a_webhook_there_is_no_secret() -> None:
    assert not run(lambda: Monitoring("monitoring", args())).all("Secret")


@pytest.mark.parametrize("url", [None, "https://hooks.example.com/"])
def test_what_is_declared_is_what_the_operators_schemas_have(url: str | None) -> None:
    custom = [
        made
        for made in run(lambda: Monitoring("monitoring", args(webhook_url=url))).resources
        if "monitoring.coreos.com" in made.type
    ]
    assert len(custom) == 4
    for made in custom:
        manifest = manifests.Manifest(file=Path(made.name), body=made.inputs)
        assert not list(manifests.against_schema(manifest, manifests.custom_kinds()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_divisor": 30}, "window_divisor must be a divisor of 300"),
        ({"selected_by": {"a": "b c"}}, "selected_by must be a Kubernetes label"),
        ({"services": []}, "services must name at least one service"),
    ],
    ids=["window_divisor", "selected_by", "services"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)
