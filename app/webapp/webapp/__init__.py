"""webapp: a small service that shows what a service on this platform looks like from the inside.

``create_app`` puts the parts together. How they are served (workers, ports, stop) is ``server``'s business.
"""

import os

from flask import Flask

from webapp import access, faults, greeting, health, problems, tracing
from webapp.config import Config
from webapp.lifecycle import Lifecycle
from webapp.metrics import Metrics


def create_app(config: Config | None = None, lifecycle: Lifecycle | None = None) -> Flask:
    """Make the WSGI application.

    Args:
        config: default: read from the environment.
        lifecycle: what /readyz reports; default: ready at once, as without gunicorn there is no worker to wait for.

    Returns:
        The app; its ``extensions["metrics"]`` is the ``Metrics`` that it counts with.

    Raises:
        ConfigError: the environment holds bad values.
    """
    config = config or Config.from_env(os.environ)
    app = Flask(__name__, static_folder=None)
    metrics = Metrics(config.version)
    app.extensions["metrics"] = metrics
    access.observe(app, metrics)
    tracing.observe(app, config)
    problems.describe(app)
    faults.inject(app, config)
    app.register_blueprint(greeting.blueprint(config))
    app.register_blueprint(health.blueprint(lifecycle or Lifecycle(workers=0)))
    return app
