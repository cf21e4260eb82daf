"""A service as its container runs it: a real gunicorn, on loopback, started by the Dockerfile's ENTRYPOINT."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

PATIENCE_SECONDS = 20.0
"""How long a condition may take to become true: far above what it needs, since the machine may be busy."""

TESTS = Path(__file__).parent
APPS = TESTS.parents[1] / "app"


def entrypoint(service: str) -> list[str]:
    """What the image starts, with the Python that runs the tests in place of the image's."""
    lines = (APPS / service / "Dockerfile").read_text().splitlines()
    (command,) = [line.removeprefix("ENTRYPOINT ") for line in lines if line.startswith("ENTRYPOINT ")]
    python, *arguments = json.loads(command)
    assert python == "/usr/bin/python3"
    return [sys.executable, *arguments]


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class GunicornProcess:
    """A running gunicorn with ports, working directory and metrics directory of its own.

    Args:
        directory: its own directory; the process runs in it and finds it in the variable TEST_DIRECTORY.
        wsgi: a module of this directory to serve, in place of the product's own.
        service: which one to start.
        **environ: more environment variables.
    """

    def __init__(self, directory: Path, wsgi: str | None = None, service: str = "webapp", **environ: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.metrics_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self.metrics_directory = directory / "metrics"
        self._stdout = directory / "stdout"
        self._stderr = directory / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(  # noqa: S603  what it starts stands in this repository
                entrypoint(service) + ([wsgi] if wsgi else []),
                cwd=directory,
                stdout=stdout,
                stderr=stderr,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": f"{APPS / 'chassis'}:{APPS / service}:{TESTS}",
                    "SERVICE": service.replace("-", "_"),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUNBUFFERED": "1",
                    "HOST": "127.0.0.1",
                    "PORT": str(self.port),
                    "METRICS_PORT": str(self.metrics_port),
                    "PROMETHEUS_MULTIPROC_DIR": str(self.metrics_directory),
                    "DRAIN_SECONDS": "0",
                    "TEST_DIRECTORY": str(directory),
                    **environ,
                },
            )
        # No kept-alive connections: a stopping worker waits for them, and every request can meet any worker.
        self.http = httpx.Client(headers={"Connection": "close"}, timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.http.close()
        if self.process.poll() is None:
            # At once, and the workers with it: a test that failed may have left a request in flight.
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE_SECONDS)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Return when ``condition`` holds; fail when it does not in time or the process has ended before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            ended = self.process.poll()
            assert ended is None or condition(), f"gunicorn ended with {ended} before: {what}\n{self.stderr()}"
            assert time.monotonic() < deadline, f"not in {PATIENCE_SECONDS} s: {what}\n{self.stdout()}{self.stderr()}"
            time.sleep(0.02)

    def wait_until_ready(self) -> Self:
        """Return when /readyz says so."""
        self.wait_until(lambda: self.status("/readyz") == 200, "/readyz answers 200")
        return self

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET over a new connection."""
        return self.http.get(self.url + path, headers=headers)

    def status(self, path: str) -> int | None:
        """Status code of a GET, or None where nobody answers."""
        try:
            return self.get(path).status_code
        except httpx.TransportError:
            return None

    def scrape(self) -> dict[str, float]:
        """All samples of the metrics' port, by name with labels as Prometheus writes them."""
        samples = {}
        for family in text_string_to_metric_families(self.http.get(self.metrics_url).text):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    def stdout(self) -> str:
        """All of standard output until now."""
        return self._stdout.read_text()

    def stderr(self) -> str:
        """All of standard error until now."""
        return self._stderr.read_text()

    def log(self, **fields: object) -> list[dict[str, Any]]:
        """The lines of the log that have these fields."""
        lines = [json.loads(line) for line in self.stdout().splitlines()]
        return [line for line in lines if fields.items() <= line.items()]

    def terminate(self) -> None:
        """Send SIGTERM as Kubernetes does: to the container's first process alone."""
        self.process.send_signal(signal.SIGTERM)
