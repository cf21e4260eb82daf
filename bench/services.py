"""What one service more costs: preview and update of the whole program, for more and more services.

With a mock engine the program alone is measured, each run in a process of its own: what Python, Pulumi's SDK and the
components take. With the real one the platform is: engine, plugins, API server and pods. Each service has a database
of its own, and the gateway leads to it. All run the catalog's image, which was built before, so that no build is
measured.

A line is laid through the seconds of each table, base + a service * number of services, by least squares. How far the
seconds are off that line is what "linear" means here.
"""

import json
import resource
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.table import Table

from bench.updates import settle, timed
from local import toolchain
from local.paths import CHECKOUT
from local.progress import step
from settings import SERVICE_KEYS
from tests.e2e.project import Project

MOCKED_SIZES = (1, 5, 20, 50)
REAL_SIZES = (1, 5, 20)
"""Numbers of services. More than forty pods would starve two cores, and say nothing about the program."""

NAMESPACE = "cloudnative-bench-services"
PREFIX = "cloudnative:"

MAP = '''"""The services of a benchmark in a row, each but the last calling the next."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from components import calls
from components.exported_metrics import ExportedMetrics
from components.service import Service, check

_CATALOG = ExportedMetrics.read(Path({metrics!r}))
_EXPORTED = replace(_CATALOG, names=_CATALOG.names | {{calls.REQUESTS, f"{{calls.DURATION}}_bucket"}})

SERVICES = check(
    [
        Service(name=name, exported=_EXPORTED, paths=[f"/{{name}}"], owns_database=True)
        for name in {names!r}
    ]
)
for _caller, _callee in pairwise(SERVICES):
    _caller.calls(_callee, timeout=0.5, retries=2)
'''
"""A `services.py`; what each service is stands in one line."""

EACH: Mapping[str, Any] = {
    "replicas": 1,
    "timeoutSeconds": 600,
    "resources": {"cpuRequest": "1m", "memoryRequest": "48Mi", "ephemeralStorageRequest": "16Mi"},
}
"""The configuration of each service; it asks for next to no CPU, so that all of them fit on a node of two cores."""

QUOTA = {"pods": 1000, "cpu": "100", "memory": "100Gi", "ephemeralStorage": "100Gi"}
"""Room for the largest number."""


def names(count: int) -> list[str]:
    """Return the names of `count` services; the first is the one whose URL the program puts out."""
    return ["webapp", *(f"service{number}" for number in range(2, count + 1))]


def map_of(count: int) -> str:
    """Return the text of a `services.py` with `count` services, each of which the gateway leads to."""
    return MAP.format(metrics=str(CHECKOUT / "app/catalog/metrics.json"), names=names(count))


def keys(count: int, image: str, database: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in the configuration of `count` services that run `image`, each with such a `database`."""
    return {"quota": QUOTA, **{key: {**EACH, "image": image, "database": database} for key in names(count)}}


@dataclass(frozen=True, kw_only=True)
class Line:
    """Seconds = `base` + `slope` * number of services."""

    base: float
    slope: float
    deviation: float
    """Seconds by which the worst of the points is off the line."""


def line(seconds: Mapping[int, float]) -> Line:
    """Return the line through seconds by number of services that has the least squares of deviations."""
    slope, base = statistics.linear_regression(list(seconds), list(seconds.values()))
    deviation = max(abs(found - base - slope * count) for count, found in seconds.items())
    return Line(base=base, slope=slope, deviation=deviation)


def table_of(title: str, measured: Mapping[str, Mapping[int, Sequence[float]]]) -> Table:
    """Return a table with a row for each operation, from the seconds of all its runs by number of services.

    The fastest run counts: whatever else a machine does makes a run slower, and none faster.
    """
    sizes = list(next(iter(measured.values())))
    columns = [f"{count} services" if count > 1 else "1 service" for count in sizes]
    table = Table("", *columns, "base", "a service", "off the line", title=title)
    for operation, runs in measured.items():
        seconds = {count: min(runs[count]) for count in sizes}
        found = line(seconds)
        table.add_row(
            operation,
            *(f"{seconds[count]:.2f} s\n{seconds[count] / count:.3f} each" for count in sizes),
            f"{found.base:.2f} s",
            f"{found.slope:.3f} s",
            f"{found.deviation:.2f} s",
        )
    return table


def mocked(folder: Path, count: int, *, preview: bool) -> float:
    """Return the processor seconds of one run of the program with `count` services in a process of its own.

    Processor time, as there is nothing that the process waits for, and other processes then do not count.
    """
    (folder / "services.py").write_text(map_of(count))
    config = yaml.safe_load((CHECKOUT / "Pulumi.dev.yaml").read_text())["config"]
    config.pop(f"{PREFIX}imageLock")  # a file of a platform that runs; tags will do
    database = config[f"{PREFIX}catalog"]["database"]
    for key in SERVICE_KEYS:
        config.pop(f"{PREFIX}{key}", None)
    image = f"{config[f'{PREFIX}registry']['address']}/catalog@sha256:{'d1' * 32}"
    config.update({f"{PREFIX}{key}": value for key, value in keys(count, image, database).items()})
    asked = json.dumps({"config": config, "preview": preview})
    # The folder comes first in the search for modules, so that the program finds its `services.py`.
    command = [str(CHECKOUT / ".venv/bin/python"), "-m", "bench.mocked_program"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, cwd=folder, env=env, input=asked, text=True, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.stdout != f"{count + 2} Deployments\n":  # Prometheus and Alertmanager are two of them
        raise RuntimeError(f"{count + 2} Deployments were to be declared, found {result.stdout}{result.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def with_mocks(runs: int, sizes: Sequence[int] = MOCKED_SIZES) -> Table:
    """Return what the program takes with a mock engine; the sizes take turns."""
    found: dict[str, dict[int, list[float]]] = {name: {count: [] for count in sizes} for name in ("preview", "up")}
    with TemporaryDirectory() as folder:
        mocked(Path(folder), 1, preview=True)  # which warms up
        for run in range(1, runs + 1):
            with step(f"Mock engine: {', '.join(map(str, sizes))} services, run {run} of {runs}"):
                for count in sizes:
                    for name, seconds in found.items():
                        seconds[count].append(mocked(Path(folder), count, preview=name == "preview"))
    return table_of(f"The program with a mock engine, processor time, fastest of {runs} runs", found)


def with_platform(runs: int, sizes: Sequence[int] = REAL_SIZES) -> Table:
    """Return what the whole takes on the platform: one first update of each size, and `runs` of the rest."""
    found: dict[str, dict[int, list[float]]] = {"preview of all": {}, "first up": {}, "up, nothing changed": {}}
    with TemporaryDirectory() as scratch:
        project = Project(Path(scratch), toolchain.ensure(), like="dev", namespace=NAMESPACE)
        try:
            with step("Building the image that all services run"):
                add_migrations(project, max(sizes))
                database = project.config()["catalog"]["database"]
                project.up()
                image = project.image("catalog")
                project.stack.destroy()
            for count in sizes:
                declare(project, count, image, database)
                settle(project)
                todo: Mapping[str, tuple[int, Callable[[], None]]] = {
                    "preview of all": (runs, lambda: pulumi(project, "preview")),
                    "first up": (1, lambda: pulumi(project, "up", "--yes", "--skip-preview")),
                    "up, nothing changed": (runs, lambda: pulumi(project, "up", "--yes", "--skip-preview")),
                }
                for name, (times, run) in todo.items():
                    with step(f"{name}: {count} services"):
                        found[name][count] = [timed(run) for _ in range(times)]
                with step(f"Removing {count} services"):
                    project.stack.destroy()
        finally:
            with step("Removing what is left"):
                project.stack.destroy()
    return table_of(f"On the platform, fastest of {runs} runs, of first updates the only one", found)


def add_migrations(project: Project, count: int) -> None:
    """Put into the catalog's image what each of `count` services is migrated by: the package of its own name."""
    packages = project.folder / "app/catalog/catalog/packages"
    for name in names(count):
        (packages / name).mkdir(parents=True)
        (packages / name / "migrate.py").write_text("from catalog.migrate import main\n\nmain()\n")
    copied = "COPY --chmod=755 catalog/catalog catalog\n"
    project.replace("app/catalog/Dockerfile", copied, f"{copied}COPY --chmod=755 catalog/catalog/packages .\n")


def declare(project: Project, count: int, image: str, database: Mapping[str, Any]) -> None:
    """Make the project one of `count` services, whatever it was."""
    (project.folder / "services.py").write_text(map_of(count))
    file = project.folder / "Pulumi.yaml"
    described = yaml.safe_load(file.read_text())
    described["config"] = {key: one for key, one in described["config"].items() if not key.startswith(SERVICE_KEYS)}
    file.write_text(yaml.safe_dump(described))
    before = [key for key in project.config() if key in SERVICE_KEYS or key.startswith("service")]
    project.configure({**dict.fromkeys(before), **keys(count, image, database)})


def pulumi(project: Project, *arguments: str) -> None:
    """Run a Pulumi command on the project's stack."""
    env = {**project.env, **project.stack.workspace.env_vars}
    command = ["pulumi", *arguments, "--stack=e2e"]
    result = subprocess.run(command, cwd=project.folder, env=env, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"'{' '.join(command)}' failed:\n{result.stdout}{result.stderr}")


def measure(runs: int) -> Table:
    """Return both tables, one below the other."""
    both = Table.grid()
    both.add_row(with_mocks(runs))
    both.add_row(with_platform(runs))
    return both
