"""What metrics cost the app: its requests per second with them and without, on this machine.

Both are the image's gunicorn with two workers, side by side; a load of eight connections, each sending its next request
when it has the answer to the last, meets one at a time. They take turns, so that a noisy machine disturbs both; the
figure to quote is the ratio of each pair, by its median. The goal: metrics cost at most 5 %.
"""

import json
import statistics
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from local import toolchain
from local.progress import step
from tests.app.gunicorn_process import APP, GunicornProcess

SECONDS = 3
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


def measure(runs: int) -> Table:
    """Return what was measured in `runs` pairs."""
    vegeta = toolchain.ensure("vegeta")["vegeta"]
    pairs = []
    path = f"{APP}:{Path(__file__).parents[1]}"
    with (
        TemporaryDirectory() as one,
        TemporaryDirectory() as other,
        GunicornProcess(Path(one), WORKERS="2") as instrumented,
        GunicornProcess(Path(other), WITHOUT, WORKERS="2", PYTHONPATH=path) as bare,
        step(f"The app with and without metrics: {runs + 1} pairs of {SECONDS} s each"),
    ):
        sides = [side.wait_until_ready() for side in (instrumented, bare)]
        for count in range(runs + 1):
            order = sides if count % 2 else sides[::-1]
            found = {id(side): throughput(vegeta, f"{side.url}/api/info") for side in order}
            pairs.append((found[id(instrumented)], found[id(bare)]))
        if not instrumented.scrape() or bare.scrape():
            raise RuntimeError("not one side has metrics and the other none, so nothing was compared")
    del pairs[0]  # which warmed up
    ratios = sorted(one / other for one, other in pairs)
    table = Table("", "with metrics", "without", "ratio", "ratios", title=f"{runs} pairs, medians")
    table.add_row(
        "requests a second",
        *(f"{statistics.median(side):.0f}" for side in zip(*pairs, strict=True)),
        f"{statistics.median(ratios):.3f}",
        f"{ratios[0]:.3f} to {ratios[-1]:.3f}",
    )
    return table
