"""chassis: what every service of this repository has in common, so that a service's package holds only what is its own.

``create`` makes a Flask app that notes, traces and counts its requests, describes its errors, and answers probes; the
service adds its routes. ``server`` runs it under gunicorn, ``client`` calls other services, ``config`` reads the
environment. A module of the chassis knows no service by its name. Not here: databases, which one service has.
"""

from flask import Flask

from chassis import access, faults, health, problems, tracing
from chassis.config import Config
from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics


def create(service: str, config: Config, lifecycle: Lifecycle | None = None) -> Flask:
    """Make the WSGI application of a service, without routes of its own.

    Args:
        service: name of the service, and of its package.
        config: what the environment decides.
        lifecycle: what /readyz reports; default: ready at once, as without gunicorn there is no worker to wait for.

    Returns:
        The app; its ``extensions["metrics"]`` is the ``Metrics`` that it counts with.
    """
    app = Flask(service, static_folder=None)
    metrics = Metrics(config.version)
    app.extensions["metrics"] = metrics
    access.observe(app, metrics)
    tracing.observe(app, config)
    problems.describe(app)
    faults.inject(app, config)
    app.register_blueprint(health.blueprint(lifecycle or Lifecycle(workers=0)))
    return app
