"""What the tests of catalog share: one PostgreSQL a run, and a database of its own for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from catalog import create_app, database, migrate
from catalog.config import Config
from flask import Flask
from flask.testing import FlaskClient

from tests.app.catalog import postgres
from tests.app.catalog.postgres import USER, Postgres

NUMBERS = count()
Create = Callable[[Path], Flask]


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Return a server that all tests use."""
    with postgres.running() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a database that is migrated, for the ones of tests to be copied from."""
    with server.admin() as admin:
        admin.execute(f"CREATE DATABASE migrated OWNER {USER}")
    engine = database.engine(server.secret(tmp_path_factory.mktemp("secret") / "template", dbname="migrated"))
    migrate.upgrade(engine, seconds=0)
    engine.dispose()
    return "migrated"


@pytest.fixture
def empty(server: Postgres, tmp_path: Path) -> Path:
    """Return the secret of a database in which nothing is."""
    return _database(server, tmp_path, "template1")


@pytest.fixture
def secret(server: Postgres, template: str, tmp_path: Path) -> Path:
    """Return the secret of a database that is migrated."""
    return _database(server, tmp_path, template)


def _database(server: Postgres, folder: Path, template: str) -> Path:
    name = f"test_{next(NUMBERS)}"
    with server.admin() as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template} STRATEGY FILE_COPY")
    return server.secret(folder / "secret", dbname=name)


@pytest.fixture(scope="session")
def unchanged(server: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Return a client of an app for tests that leave its products as they are."""
    app = create_app(Config(database_dir=_database(server, tmp_path_factory.mktemp("unchanged"), template)))
    yield app.test_client()
    app.extensions["database"].dispose()


@pytest.fixture
def create() -> Iterator[Create]:
    """Make apps in this process, without gunicorn; their connections are closed after the test."""
    with ExitStack() as stack:

        def create_(secret: Path) -> Flask:
            app = create_app(Config(database_dir=secret))
            stack.callback(app.extensions["database"].dispose)
            return app

        yield create_


@pytest.fixture
def app(create: Create, secret: Path) -> Flask:
    """Return the app with a database of its own."""
    return create(secret)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of ``app``."""
    return app.test_client()
