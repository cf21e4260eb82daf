"""What the tests of the app share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from chassis.lifecycle import Lifecycle
from flask import Flask
from flask.testing import FlaskClient
from webapp import create_app
from webapp.config import Config

from .gunicorn_process import GunicornProcess

Start = Callable[..., GunicornProcess]


@pytest.fixture
def lifecycle() -> Lifecycle:
    """One that waits for a single worker."""
    return Lifecycle(workers=1)


@pytest.fixture
def app(lifecycle: Lifecycle) -> Flask:
    """The app in this process, without gunicorn."""
    return create_app(Config(version="1.2.3", pod="webapp-0", environment="test"), lifecycle)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of ``app``."""
    return app.test_client()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a gunicorn of the test's own; ended after the test."""
    with ExitStack() as stack:
        yield lambda wsgi=None, **environ: stack.enter_context(GunicornProcess(tmp_path, wsgi, **environ))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GunicornProcess]:
    """A gunicorn with two workers, ready, for the tests that leave it as they found it."""
    directory = tmp_path_factory.mktemp("server")
    identity = {"APP_VERSION": "1.2.3", "POD_NAME": "webapp-0", "ENVIRONMENT": "test"}
    with GunicornProcess(directory, "held_app:app", WORKERS="2", **identity) as process:
        yield process.wait_until_ready()
