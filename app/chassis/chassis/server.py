"""gunicorn's configuration: ``gunicorn --config python:chassis.server``.

The variable SERVICE, which the image sets, names the service's package: its ``config.Config`` is read here, and its
``wsgi.app`` is what is served.

Imported once, by the master; workers are forked from it and share what is made here. gunicorn takes every name below
that is one of its settings or hooks (https://docs.gunicorn.org/en/stable/settings.html), which is why names that are
not for it are in capitals. Bad configuration ends the process with status 1 and a message on stderr.

Not supported, as a container is replaced and not reloaded: SIGHUP and SIGUSR2.
"""

import os
import signal
import sys
from functools import partial
from importlib import import_module
from typing import Protocol

from chassis import exposition, logs, tracing
from chassis.config import Config, ConfigError
from chassis.drain import Drain
from chassis.lifecycle import Lifecycle

SERVICE = os.environ.get("SERVICE")
if not SERVICE:
    sys.exit("SERVICE is not set: nothing says which package to serve; set it to the service's name, as its image does")
try:
    CONFIG: Config = import_module(f"{SERVICE}.config").Config.from_env(os.environ)
except ConfigError as error:
    sys.exit(str(error))
if CONFIG.metrics_dir is None:
    sys.exit("PROMETHEUS_MULTIPROC_DIR is not set: the workers' counts cannot be added up; set it to /tmp/metrics")
METRICS_DIR = CONFIG.metrics_dir
LIFECYCLE = Lifecycle(CONFIG.workers)

wsgi_app = f"{SERVICE}.wsgi:app"
bind = f"{CONFIG.host}:{CONFIG.port}"
worker_class = "gthread"
workers = CONFIG.workers
threads = CONFIG.threads
graceful_timeout = CONFIG.graceful_timeout_seconds
# It would want a writable home, and Kubernetes is what manages this process.
control_socket_disable = True
loglevel = CONFIG.log_level
logconfig_dict = logs.dict_config(CONFIG.log_level)
logs.configure()


class Worker(Protocol):
    """What the hooks use of gunicorn's workers."""

    pid: int
    age: int


def on_starting(_server: object) -> None:
    """Empty the workers' counts before there is a worker."""
    try:
        exposition.prepare(METRICS_DIR)
    except OSError as error:
        sys.exit(f"PROMETHEUS_MULTIPROC_DIR: {error}; mount a writable directory (an emptyDir will do) there")


def when_ready(_server: object) -> None:
    """Open the metrics' port, and put the drain before gunicorn's own handling of SIGTERM.

    gunicorn calls this after it has set up its signals and before it forks the first worker. Workers set their own.
    """
    try:
        exposition.serve(METRICS_DIR, CONFIG.host, CONFIG.metrics_port)
    except OSError as error:
        sys.exit(f"METRICS_PORT: cannot listen on {CONFIG.host}:{CONFIG.metrics_port}: {error}; give a free port")
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        raise TypeError(f"gunicorn has no handler for SIGTERM, but {stop!r}; is this another version's order of hooks?")
    drain = Drain(LIFECYCLE, CONFIG.drain_seconds, partial(stop, signal.SIGTERM, None))
    signal.signal(signal.SIGTERM, drain.begin)


def post_worker_init(worker: Worker) -> None:
    """Note, in the worker, that it has loaded the app."""
    LIFECYCLE.worker_started(worker.age)


def worker_exit(_server: object, worker: object) -> None:
    """Send, in the worker, what spans are left. Also called in the master, which has loaded no app."""
    tracing.stop(getattr(worker, "wsgi", None))


def child_exit(_server: object, worker: Worker) -> None:
    """Take, in the master, an ended worker's requests out of those in progress."""
    exposition.forget(METRICS_DIR, worker.pid)
