"""A constant load on what a stack serves, by vegeta, while a block runs; and how many of its requests were lost.

A request is lost unless it was answered with 200: refused, reset, timed out after 30 s, or answered with an error.
"""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local.network import NETWORK
from local.toolchain import Toolchain
from tests.e2e.project import Project

LONGEST = "600s"
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
def under_load(
    tools: Toolchain,
    project: Project,
    path: str,
    folder: Path,
    *,
    rate: int,
    keep_alive: bool,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Load]:
    """Send `rate` requests a second to a path while the block runs; each by a connection of its own, or kept alive."""
    url = f"{project.output('url')}{path}"
    authority = folder / "ca.crt"
    authority.write_text(project.output("ca_certificate"))
    results = folder / f"load-{'kept' if keep_alive else 'fresh'}.bin"
    command = [
        *(str(tools["vegeta"]), "attack", f"-rate={rate}/s", f"-duration={LONGEST}", "-timeout=30s"),
        *(f"-root-certs={authority}", f"-connect-to={urlsplit(url).hostname}:443:{NETWORK.gateway}:443"),
        *(f"-keepalive={'true' if keep_alive else 'false'}", "-name=load", f"-output={results}"),
    ]
    load = Load()
    attack = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert attack.stdin is not None
    attack.stdin.write("\n".join([f"GET {url}", *(f"{name}: {value}" for name, value in (headers or {}).items()), ""]))
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
