"""What is declared to be scraped is found among what is declared, or the preview fails with what is wrong in words."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.monitoring import Monitoring, MonitoringArgs
from components.scrape_config import scrape_config, service_monitor_spec
from components.scrape_proof import Declared, Object, unproved
from components.web_service import WebService
from tests.unit.program.examples import NAMESPACE, SERVICE, SOURCES, WEBAPP
from tests.unit.program.harness import LABELS, as_it_stands, image_lock, run, run_stack
from tests.unit.program.test_web_service import args

Objects = dict[str, dict[str, Any]]

CONFIG = scrape_config([WEBAPP], 5, sources=SOURCES, alertmanager="alertmanager:9093", rules="rules.yml")
FINE: Objects = {
    "Deployment": {
        "metadata": {"name": "webapp"},
        "spec": {
            "template": {
                "metadata": {"labels": {**WEBAPP.pods, "more": "labels"}},
                "spec": {"containers": [{"ports": [{"name": "http"}, {"name": "metrics"}]}]},
            }
        },
    },
    "Service": {
        "metadata": {"name": WEBAPP.service, "labels": WEBAPP.selector},
        "spec": {"selector": WEBAPP.pods, "ports": [{"name": "metrics", "target_port": "metrics"}]},
    },
    "ServiceMonitor": {"metadata": {"name": "webapp"}, "spec": service_monitor_spec(WEBAPP, 15)},
    "ConfigMap": {"metadata": {"name": "prometheus-config"}, "data": {"prometheus.yml": CONFIG}},
}


def problems(change: Callable[[Objects], object], *, namespaces: dict[str, str] | None = None) -> list[str]:
    """Return what is said of objects that were fine before `change`."""
    bodies = deepcopy(FINE)
    change(bodies)
    return list(
        unproved(
            [
                Object(kind=kind, namespace=(namespaces or {}).get(kind, "shop"), body=body)
                for kind, body in bodies.items()
            ]
        )
    )


def keep(bodies: Objects, regex: str) -> None:
    config = yaml.safe_load(bodies["ConfigMap"]["data"]["prometheus.yml"])
    config["scrape_configs"][0]["relabel_configs"][0]["regex"] = regex
    bodies["ConfigMap"]["data"]["prometheus.yml"] = yaml.safe_dump(config)


def test_what_fits_together_is_proved() -> None:
    assert problems(lambda _: None) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda it: it["ServiceMonitor"]["spec"]["selector"].update(matchLabels={"app": "shop"}),
            ["ServiceMonitor webapp selects app=shop, which no Service of shop has"],
        ),
        (
            lambda it: it["ServiceMonitor"]["spec"]["endpoints"][0].update(port="metric"),
            ["ServiceMonitor webapp scrapes the port 'metric', and Service webapp-metrics has metrics"],
        ),
        (
            lambda it: it["Service"]["spec"]["ports"][0].update(name="m"),
            [
                "ServiceMonitor webapp scrapes the port 'metrics', and Service webapp-metrics has m",
                "the job webapp keeps webapp-metrics;metrics, which is no Service and port of shop",
            ],
        ),
        (
            lambda it: it["Service"]["spec"]["ports"][0].update(target_port="m"),
            ["Service webapp-metrics leads to the port 'm', and its pods have http, metrics"] * 2,
        ),
        (
            lambda it: it["Deployment"]["spec"]["template"]["spec"]["containers"][0].update(ports=[{"name": "http"}]),
            ["Service webapp-metrics leads to the port 'metrics', and its pods have http"] * 2,
        ),
        (
            lambda it: it["Service"]["spec"].update(selector={"app": "shop"}),
            ["Service webapp-metrics selects app=shop, which no Deployment's pods have"] * 2,
        ),
        (
            lambda it: it["Service"]["metadata"].update(labels={}),
            [
                (
                    "ServiceMonitor webapp selects app.kubernetes.io/component=metrics, "
                    "app.kubernetes.io/instance=cloudnative-dev, app.kubernetes.io/managed-by=pulumi, "
                    "app.kubernetes.io/name=webapp, app.kubernetes.io/part-of=cloudnative, environment=dev, "
                    "owner=platform, which no Service of shop has"
                )
            ],
        ),
        (
            lambda it: it.pop("Deployment"),
            [
                (
                    "Service webapp-metrics selects app.kubernetes.io/instance=cloudnative-dev, "
                    "app.kubernetes.io/name=webapp, which no Deployment's pods have"
                )
            ]
            * 2,
        ),
        (
            lambda it: keep(it, "webapp;metrics"),
            ["the job webapp keeps webapp;metrics, which is no Service and port of shop"],
        ),
    ],
    ids=[
        "the monitor's selector",
        "the monitor's port",
        "the Service's port",
        "the port that the Service leads to",
        "the pods' ports",
        "the Service's selector",
        "the Service's labels",
        "no pods",
        "a job's Service",
    ],
)
def test_what_would_not_be_found_is_said_in_words(change: Callable[[Objects], object], said: list[str]) -> None:
    assert problems(change) == said


@pytest.mark.parametrize("kind", ["ServiceMonitor", "ConfigMap"])
def test_what_is_in_another_namespace_is_not_found(kind: str) -> None:
    (said,) = problems(lambda _: None, namespaces={kind: "elsewhere"})
    assert said.endswith(("which no Service of elsewhere has", "which is no Service and port of elsewhere"))


def test_other_configuration_is_not_taken_for_a_list_of_what_to_scrape() -> None:
    assert problems(lambda it: it["ConfigMap"].update(data={"PORT": "8080"})) == []


def monitored(**changes: Any) -> Callable[[], None]:
    """Return a program in which the monitoring looks for a service that is not quite as declared."""

    def declare() -> None:
        declared = Declared()
        noted = pulumi.ResourceOptions(transformations=[declared.note])
        service = WebService("webapp", args(), noted).monitored
        Monitoring(
            "monitoring",
            MonitoringArgs(
                namespace=pulumi.Output.from_input(NAMESPACE),
                labels=LABELS,
                services=[replace(SERVICE, target=replace(service.target, **changes))],
                signals=(),
                runbooks="docs/runbooks.md",
                scrape_interval_seconds=15,
                selected_by={},
            ),
            noted,
        )
        declared.prove()

    return declare


def test_a_program_whose_parts_fit_together_goes_through() -> None:
    assert len(run(monitored()).all("ServiceMonitor")) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"selector": {"app": "shop"}},
            "ServiceMonitor webapp selects app=shop, which no Service of cloudnative-dev has",
        ),
        ({"ports": ["http"], "port": "http"}, "scrapes the port 'http', and Service webapp-metrics has metrics"),
    ],
    ids=["selector", "port"],
)
def test_a_program_whose_parts_do_not_fails_as_a_preview_does(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"what is to be scraped would not be found:\n.*{said}"):
        run(monitored(**changes))


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_proof_of_a_stack_fails_where_a_service_has_another_port(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert as_it_stands(stack).exports["namespace"] == f"cloudnative-{stack}"
    note = Declared.note

    def misnamed(self: Declared, resource: pulumi.ResourceTransformationArgs) -> None:
        if resource.name == "webapp-metrics":
            spec: Any = resource.props["spec"]
            spec.ports[0].name = "metric"
        note(self, resource)

    monkeypatch.setattr(Declared, "note", misnamed)
    with pytest.raises(ValueError, match="what is to be scraped would not be found"):
        run_stack(stack, image_lock(tmp_path))
