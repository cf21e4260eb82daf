"""The time between SIGTERM and the server's stop.

Kubernetes sends SIGTERM and takes the pod out of its Services at the same time, and load balancers hear of it later
still. gunicorn alone would close its socket at once and refuse the requests that are yet to arrive. A drain tells
/readyz to fail, lets everything else be served on for a while, and only then lets gunicorn stop.
"""

import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog

from chassis.lifecycle import Lifecycle, Phase

log = structlog.stdlib.get_logger(__name__)


class Drain:
    """Calls ``stop`` ``seconds`` after the first SIGTERM; further ones change nothing.

    SIGINT and SIGQUIT remain gunicorn's, which stops at once on them.
    """

    def __init__(self, lifecycle: Lifecycle, seconds: float, stop: Callable[[], None]) -> None:
        self._lifecycle = lifecycle
        self._seconds = seconds
        self._stop = stop

    def begin(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM, in the process that was given it."""
        if self._lifecycle.phase is Phase.DRAINING:
            return
        self._lifecycle.drain()
        # In a thread, because a handler must not log (it may have interrupted a write) and must not block the server.
        threading.Thread(target=self._wait, name="drain", daemon=True).start()

    def _wait(self) -> None:
        log.info("draining", seconds=self._seconds)
        time.sleep(self._seconds)
        self._stop()
