"""What the program is told of a service's metrics, beside what a scrape shows."""

import json
import re

import pytest

from components.service import Service
from docs.app_metrics import alone, app_of, paths
from services import SERVICES

from .conftest import Start
from .gunicorn_process import APPS


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_what_is_said_of_the_metrics_to_the_program_is_what_a_scrape_shows(start: Start, service: Service) -> None:
    environ = alone(service)
    process = start(service=service.name, **environ).wait_until_ready()
    for path in paths(app_of(service.name, environ)):
        process.get(path)
    scraped = process.scrape()
    labels: dict[str, set[str]] = {}
    for sample in filter(None, (re.fullmatch(r"(\w+)(?:\{(.*)\})?", series) for series in scraped)):
        labels.setdefault(sample[1], set()).update(re.findall(r'(\w+)="', sample[2] or ""))
    said = json.loads((APPS / service.name / "metrics.json").read_text())
    assert labels == {
        name: {*metric["labels"], *(["le"] if name.endswith("_bucket") else [])}
        for metric in said.values()
        for name in metric["samples"]
    }
    bounds = {bound for series in scraped for bound in re.findall(r'[{,]le="([^"]*)"', series)}
    assert bounds == set(said["http_request_duration_seconds"]["buckets"])


def test_every_app_is_a_service_of_the_map() -> None:
    assert {file.parent.name for file in APPS.glob("*/Dockerfile")} == {service.name for service in SERVICES}
