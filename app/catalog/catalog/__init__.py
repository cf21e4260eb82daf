"""catalog: the products that are sold, in a database that nobody else talks to, behind an API.

A catalog whose database is away answers 503 to all that needs it, and stays ready: every pod has the same database, so
that if readiness followed it, all pods would leave the Service at once, and callers would get a refused connection in
place of an answer that says what is wrong and when to come back.
"""

import chassis
from chassis.lifecycle import Lifecycle
from flask import Flask

from catalog import api, database
from catalog.config import Config


def create_app(config: Config, lifecycle: Lifecycle | None = None) -> Flask:
    """Make the WSGI application; see ``chassis.create``.

    It connects to the database when it first needs to, by the engine that is its ``extensions["database"]``.
    """
    app = chassis.create(__name__, config, lifecycle)
    database.describe_failures(app)
    engine = database.engine(config.database_dir)
    app.extensions["database"] = engine
    api.serve(app, engine)
    return app
