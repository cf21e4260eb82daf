"""The metrics' port: one for the pod, whatever the number of workers.

Served by a thread of gunicorn's master and not by the workers: a scrape is then answered when every worker thread is
taken, which is when the figures matter most, and to the end of the drain; and no route of the app can show metrics to
the public. The thread only reads files, so that forking a new worker while it runs leaves no lock held in the child.
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


def prepare(directory: Path) -> None:
    """Make the directory that the workers count in, and take away what an earlier container of the pod left in it.

    Raises:
        OSError: the directory cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for values in directory.glob("*.db"):
        values.unlink()


def serve(directory: Path, host: str, port: int) -> None:
    """Answer scrapes until the process ends.

    Raises:
        OSError: the port is taken.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]  # the library has no types here
    start_http_server(port, host, registry)


def forget(directory: Path, pid: int) -> None:
    """Drop the gauges of a worker that has ended; what it counted stays."""
    mark_process_dead(pid, path=str(directory))  # type: ignore[no-untyped-call]  # nor here
