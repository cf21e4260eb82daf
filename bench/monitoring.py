"""What Prometheus takes for one service and for ten: memory and series, with rules and without.

The server is the platform's own binary, on this machine. Each service is three targets, all of them one app that really
runs and has answered requests, told apart by their labels `job` and `instance`. Rules are asked for by the caller, as
the text of a rule file for the names of the services.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from local import toolchain
from local.progress import step
from tests.app.gunicorn_process import GunicornProcess, free_port

TARGETS = 3
"""Pods of a service."""

SCRAPE_SECONDS = 1
SCRAPES = 20
"""After how many scrapes of each target it is measured."""

Rules = Callable[[Sequence[str]], str]
"""Returns the text of a rule file for services by their names."""


def config(services: Sequence[str], address: str, rule_files: Sequence[str]) -> str:
    """Return a `prometheus.yml` that scrapes one address as all targets of all services."""
    jobs = [
        {
            "job_name": service,
            "static_configs": [
                {"targets": [address], "labels": {"instance": f"{service}-{number}", "pod": f"{service}-{number}"}}
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
    """Return what a server says of itself when it has scraped each target `SCRAPES` times."""
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
        time.sleep(SCRAPE_SECONDS * (SCRAPES + 2))
        if server.poll() is not None:
            raise RuntimeError(f"prometheus ended with {server.returncode}:\n{(folder / 'log').read_text()}")
        up = httpx.get(f"http://{url}/api/v1/query", params={"query": "sum(up)"}).json()["data"]["result"]
        if float(up[0]["value"][1]) != TARGETS * len(services):
            raise RuntimeError(f"not all of {TARGETS * len(services)} targets are up, found {up}")
        text = httpx.get(f"http://{url}/metrics").text
    finally:
        server.terminate()
        server.wait(60)
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def measure(_runs: int, rules: Rules | None = None) -> Table:
    """Return what was measured, once for each number of services."""
    binary = toolchain.ensure("prometheus")["prometheus"]
    table = Table("services", "rules", "memory", "series", title=f"Prometheus after {SCRAPES} scrapes of each target")
    with TemporaryDirectory() as folder, GunicornProcess(Path(folder), WORKERS="1") as app:
        app.wait_until_ready()
        for path in ("/", "/api/info", "/unknown"):
            app.get(path)
        for count in (1, 10):
            services = [f"service-{number}" for number in range(count)]
            for text in ("", rules(services)) if rules else ("",):
                with step(f"{count} services, {'with' if text else 'without'} rules"), TemporaryDirectory() as own:
                    found = taken(binary, Path(own), services, app, text)
                memory = f"{found['process_resident_memory_bytes'] / 2**20:.0f} MiB"
                series = f"{found['prometheus_tsdb_head_series']:.0f}"
                table.add_row(str(count), "with" if text else "without", memory, series)
    return table
