"""A constant load on a URL, by vegeta, for as long as a block runs; and how many of its requests were lost.

A request is lost unless it was answered with 200: refused, reset, timed out after 30 s, or answered with an error.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.toolchain import Toolchain

LONGEST = "300s"
"""After this long vegeta ends by itself, whatever became of the test."""


@dataclass
class Load:
    """What became of the requests, once the block has ended."""

    sent: int = 0
    lost: int = 0
    errors: list[str] = field(default_factory=list)
    """Each kind of error once."""

    median_ms: float = 0
    worst_ms: float = 0

    def __add__(self, other: "Load") -> "Load":
        """Return both together."""
        return Load(
            self.sent + other.sent,
            self.lost + other.lost,
            [*self.errors, *other.errors],
            max(self.median_ms, other.median_ms),
            max(self.worst_ms, other.worst_ms),
        )

    def __str__(self) -> str:
        """Return what a report says of it."""
        return f"{self.lost} of {self.sent} lost, median {self.median_ms:.0f} ms, worst {self.worst_ms:.0f} ms"


@contextmanager
def under_load(tools: Toolchain, url: str, folder: Path, *, rate: int, keep_alive: bool) -> Iterator[Load]:
    """Send `rate` requests a second to `url` while the block runs; each by a connection of its own, or kept alive."""
    results = folder / f"load-{'kept' if keep_alive else 'fresh'}.bin"
    command = [
        *(str(tools["vegeta"]), "attack", f"-rate={rate}/s", f"-duration={LONGEST}", "-timeout=30s"),
        *(f"-keepalive={'true' if keep_alive else 'false'}", "-name=load", f"-output={results}"),
    ]
    load = Load()
    attack = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert attack.stdin is not None
    attack.stdin.write(f"GET {url}\n")
    attack.stdin.close()
    try:
        yield load
    finally:
        attack.send_signal(signal.SIGINT)
        attack.wait(timeout=60)
    report = [str(tools["vegeta"]), "report", "-type=json", str(results)]
    said = json.loads(subprocess.run(report, capture_output=True, text=True, check=True).stdout)
    load.sent = said["requests"]
    load.lost = load.sent - said["status_codes"].get("200", 0)
    load.errors = said["errors"] or []
    load.median_ms, load.worst_ms = said["latencies"]["50th"] / 1e6, said["latencies"]["max"] / 1e6
