"""webapp: the page that people see, with what the catalog has; it keeps nothing itself."""

import chassis
from chassis.lifecycle import Lifecycle
from flask import Flask

from webapp import greeting
from webapp.config import Config
from webapp.products import Products


def create_app(config: Config, lifecycle: Lifecycle | None = None) -> Flask:
    """Make the WSGI application; see ``chassis.create``."""
    app = chassis.create(__name__, config, lifecycle)
    products = Products(config.catalog, app.extensions["metrics"].calls) if config.catalog else None
    app.register_blueprint(greeting.blueprint(config, products))
    return app
