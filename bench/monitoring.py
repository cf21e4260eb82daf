"""What Prometheus takes for one service and for ten: memory and series, with rules and without.

The server is the platform's own binary, on this machine. Each service is three targets, all of them one app that really
runs and has answered requests, told apart by their labels. The rules are those that a stack declares for such services.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from components import monitored_service
from components.exported_metrics import ExportedMetrics
from components.monitored_service import MonitoredService
from components.objective import Objective
from components.rules import rule_file
from components.scrape_config import ScrapeTarget
from local import toolchain
from local.paths import CHECKOUT
from local.progress import step
from tests.app.gunicorn_process import GunicornProcess, free_port
from tests.e2e.project import eventually

TARGETS = 3
"""Pods of a service."""

SCRAPE_SECONDS = 1
SCRAPES = 20
"""After how many scrapes of each target it is measured."""

EVALUATION = "prometheus_rule_group_last_duration_seconds"

NAMESPACE = "bench"
EXPORTED = ExportedMetrics.read(CHECKOUT / "app/webapp/metrics.json")


def rules(services: Sequence[str]) -> str:
    """Return the rule file of services by their names, as a stack without the cluster's signals has it."""
    monitored = [
        MonitoredService(
            target=ScrapeTarget(
                name=service,
                namespace=NAMESPACE,
                service=service,
                selector={},
                pods={},
                ports=["metrics"],
                port="metrics",
            ),
            objective=Objective(),
            exported=EXPORTED,
        )
        for service in services
    ]
    groups = monitored_service.rules(monitored, available=[], divisor=1)
    return yaml.safe_dump(rule_file(groups, labels={}, runbooks="docs/runbooks.md"))


def config(services: Sequence[str], address: str, rule_files: Sequence[str]) -> str:
    """Return a `prometheus.yml` that scrapes one address as all targets of all services."""
    jobs = [
        {
            "job_name": service,
            "static_configs": [
                {
                    "targets": [address],
                    "labels": {
                        "instance": f"{service}-{number}",
                        "namespace": NAMESPACE,
                        "pod": f"{service}-{number}",
                        "service": service,
                    },
                }
                for number in range(TARGETS)
            ],
        }
        for service in services
    ]
    interval = f"{SCRAPE_SECONDS}s"
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": list(rule_files),
            "scrape_configs": jobs,
        }
    )


def taken(binary: Path, folder: Path, services: Sequence[str], app: GunicornProcess, rules: str) -> dict[str, float]:
    """Return what a server says of itself after `SCRAPES` scrapes of each target; the evaluation is of all groups."""
    rule_files = []
    if rules:
        (folder / "rules.yml").write_text(rules)
        rule_files.append("rules.yml")
    (folder / "prometheus.yml").write_text(config(services, f"127.0.0.1:{app.metrics_port}", rule_files))
    url = f"127.0.0.1:{free_port()}"
    command = [
        *(str(binary), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        f"--web.listen-address={url}",
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:

        def enough() -> bool:
            app.get("/")  # without requests there would be no ratio to record
            return scraped(url) == TARGETS * len(services)

        eventually(enough, f"{SCRAPES} scrapes of each target", seconds=90)
        text = httpx.get(f"http://{url}/metrics").text
    finally:
        server.terminate()
        server.wait(60)
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.labels or sample.name == EVALUATION:
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def scraped(url: str) -> int:
    """Return how many targets have been scraped well `SCRAPES` times; 0 while nobody answers."""
    query = f"count(sum_over_time(up[10m]) >= {SCRAPES})"
    try:
        answer = httpx.get(f"http://{url}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return 0
    found = answer.json()["data"]["result"] if answer.is_success else []
    return int(found[0]["value"][1]) if found else 0


def measure(_runs: int) -> Table:
    """Return what was measured, once for each number of services."""
    binary = toolchain.ensure("prometheus")["prometheus"]
    columns = ("services", "rules", "memory", "series", "evaluation")
    table = Table(*columns, title=f"Prometheus after {SCRAPES} scrapes of each target")
    with TemporaryDirectory() as folder, GunicornProcess(Path(folder), WORKERS="1") as app:
        app.wait_until_ready()
        for path in ("/", "/api/info", "/unknown"):
            app.get(path)
        for count in (1, 10):
            services = [f"service-{number}" for number in range(count)]
            for text in ("", rules(services)):
                with step(f"{count} services, {'with' if text else 'without'} rules"), TemporaryDirectory() as own:
                    found = taken(binary, Path(own), services, app, text)
                memory = f"{found['process_resident_memory_bytes'] / 2**20:.0f} MiB"
                series = f"{found['prometheus_tsdb_head_series']:.0f}"
                evaluation = f"{1000 * found[EVALUATION]:.0f} ms" if text else ""
                table.add_row(str(count), "with" if text else "without", memory, series, evaluation)
    return table
