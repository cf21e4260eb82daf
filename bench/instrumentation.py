"""What metrics cost the app: its requests per second with them and without, and its processor time for one.

Both are the image's gunicorn with two workers, side by side; a load of eight connections, each sending its next request
when it has the answer to the last, meets one at a time. They take turns, so that a noisy machine disturbs both; the
figure to quote is the ratio of each pair, by its median. The goal: metrics cost at most 5 %. Where others use the
machine too, the processor time tells more: waiting for a processor is no part of it.
"""

import json
import os
import statistics
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from local import toolchain
from local.progress import step
from tests.app.gunicorn_process import APPS, GunicornProcess

SECONDS = 1
PAIRS = 24
"""Pairs for each of the runs asked for: many short ones, as what disturbs a machine lasts for seconds. Two equal sides
differed by 2.7 % in 48 pairs, which is too much to tell 5 % by."""

MEMORY = "/dev/shm"  # noqa: S108 - only what is measured is kept there
"""Where the workers keep their counts; in a pod, too, that is memory. On a disk some writes would wait for it."""

CONNECTIONS = 8
WITHOUT = "bench.uninstrumented_app:app"


def throughput(vegeta: Path, url: str) -> float:
    """Return the requests that were answered with 200, a second."""
    attack = [
        *(str(vegeta), "attack", "-rate=0", f"-workers={CONNECTIONS}", f"-max-workers={CONNECTIONS}"),
        f"-duration={SECONDS}s",
    ]
    results = subprocess.run(attack, input=f"GET {url}\n".encode(), capture_output=True, check=True).stdout
    report = subprocess.run([str(vegeta), "report", "-type=json"], input=results, capture_output=True, check=True)
    said = json.loads(report.stdout)
    if said["success"] < 1:
        raise RuntimeError(f"{url} did not answer all requests with 200, found {said['status_codes']}")
    return float(said["throughput"])


def processor_seconds(process: GunicornProcess) -> float:
    """Return what its workers have used until now."""
    master = process.process.pid
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")


def turn(vegeta: Path, process: GunicornProcess) -> tuple[float, float]:
    """Return the requests a second, and the milliseconds of processor time that one took."""
    before = processor_seconds(process)
    found = throughput(vegeta, f"{process.url}/api/info")
    return found, (processor_seconds(process) - before) / (found * SECONDS) * 1000


def row(pairs: list[tuple[float, float]], form: str) -> tuple[str, ...]:
    """Return the medians of both sides and of their ratio, and the ratios' range without the outermost quarters."""
    low, middle, high = statistics.quantiles([one / other for one, other in pairs], n=4)
    medians = (f"{statistics.median(side):{form}}" for side in zip(*pairs, strict=True))
    return (*medians, f"{middle:.3f}", f"{low:.3f} to {high:.3f}")


def measure(runs: int) -> Table:
    """Return what was measured in `runs` times `PAIRS` pairs."""
    runs *= PAIRS
    vegeta = toolchain.ensure("vegeta")["vegeta"]
    pairs = []
    path = ":".join(str(folder) for folder in (APPS / "chassis", APPS / "webapp", Path(__file__).parents[1]))
    with (
        TemporaryDirectory(dir=MEMORY) as one,
        TemporaryDirectory(dir=MEMORY) as other,
        GunicornProcess(Path(one), WORKERS="2") as instrumented,
        GunicornProcess(Path(other), WITHOUT, WORKERS="2", PYTHONPATH=path) as bare,
        step(f"The app with and without metrics: {runs + 1} pairs of {SECONDS} s each"),
    ):
        sides = [side.wait_until_ready() for side in (instrumented, bare)]
        for count in range(runs + 1):
            order = sides if count % 2 else sides[::-1]
            found = {id(side): turn(vegeta, side) for side in order}
            pairs.append((found[id(instrumented)], found[id(bare)]))
        if not instrumented.scrape() or bare.scrape():
            raise RuntimeError("not one side has metrics and the other none, so nothing was compared")
    del pairs[0]  # which warmed up
    table = Table("", "with metrics", "without", "ratio", "middle half", title=f"{runs} pairs, medians")
    rates = [(one[0], other[0]) for one, other in pairs]
    times = [(one[1], other[1]) for one, other in pairs]
    table.add_row("requests a second", *row(rates, ".0f"))
    table.add_row("processor time a request, ms", *row(times, ".3f"))
    return table
