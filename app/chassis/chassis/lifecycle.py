"""Where the pod stands between start and stop, as every worker process sees it.

Kept in one page of anonymous shared memory that gunicorn's master makes before it forks: no file, no lock, nothing to
clean up. Each byte is only ever set, by one process, so that no update can be lost.
"""

import mmap
from enum import StrEnum

_DRAINING = 0
"""The byte that says so; the ones after it are the workers', by age."""


class Phase(StrEnum):
    """The pod's phases, in the order in which they follow one another."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Lifecycle:
    """Starting until ``workers`` worker processes have loaded the app, then ready, then draining for good.

    ``workers=0`` is ready at once: for the app without gunicorn.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    def worker_started(self, age: int) -> None:
        """Note that the worker of this age (gunicorn counts them from 1) has loaded the app."""
        self._page[min(age, mmap.PAGESIZE - 1)] = 1

    def drain(self) -> None:
        """Turn ready off for good. Safe in a signal handler."""
        self._page[_DRAINING] = 1

    @property
    def phase(self) -> Phase:
        """The phase that the pod is in now."""
        if self._page[_DRAINING]:
            return Phase.DRAINING
        started = self._page[_DRAINING + 1 :].count(1)
        return Phase.READY if started >= self._workers else Phase.STARTING
