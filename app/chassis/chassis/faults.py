"""Faults that are asked for: to see that a service's alerts are raised, and its dashboards show why.

They come within what is counted and logged, as a fault of the app's own would. Probes are spared: a pod that is
restarted or taken out of its Service would end the very thing that is to be seen. Not here: faults of the process, the
pod or the network, for which a cluster has other tools.
"""

import random
import time
from http import HTTPStatus

import structlog
from flask import Flask, abort

from chassis import health
from chassis.config import Config

log = structlog.stdlib.get_logger(__name__)


def inject(app: Flask, config: Config) -> None:
    """Let requests to ``app`` fail or wait as ``config`` says; leave it alone where that says nothing of the kind.

    Call after all that is to take note of requests is registered.
    """
    percent, seconds = config.fault_error_percent, config.fault_delay_seconds
    if not percent and not seconds:
        return
    log.warning("faults are injected into requests", error_percent=percent, delay_seconds=seconds)

    @app.before_request
    def fault() -> None:
        if health.is_probe():
            return
        time.sleep(seconds)
        if random.uniform(0, 100) < percent:  # noqa: S311  nothing secret follows from it
            abort(HTTPStatus.INTERNAL_SERVER_ERROR, "This error was asked for, by FAULT_ERROR_PERCENT.")
