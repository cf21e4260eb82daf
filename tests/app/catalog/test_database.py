"""The database: how it is reached, and what becomes of requests when it is not."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from catalog import database
from flask.testing import FlaskClient

from tests.app.catalog.conftest import Create
from tests.app.catalog.postgres import Postgres
from tests.app.gunicorn_process import free_port

PATH = "/api/products"
LAMP = {"sku": "LAMP-1", "name": "Lamp", "description": "Bright.", "price_cents": 4999, "currency": "EUR"}


def assert_unavailable(client: FlaskClient, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    for response in (client.get(PATH), client.get(f"{PATH}/X"), client.post(PATH, json=LAMP)):
        assert (response.status_code, response.mimetype) == (503, "application/problem+json")
        assert response.headers["Retry-After"] == "5"
        assert response.get_json()["title"] == "Service Unavailable"
        assert said not in response.text
    out = capsys.readouterr().out
    assert said in out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": "1"}, "Connection refused"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"dbname": "nothing"}, "does not exist"),
        ({"host": ""}, "No such file or directory"),
    ],
)
def test_a_database_that_cannot_be_reached_is_a_503_that_tells_the_log_why(  # noqa: PLR0917 - fixtures
    create: Create,
    changes: dict[str, str],
    said: str,
    server: Postgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = server.secret(tmp_path / "secret", **{"dbname": "postgres", **changes})
    assert_unavailable(create(secret).test_client(), said, capsys)


@pytest.mark.parametrize("another", [True, False], ids=["another authority", "the base image's authorities"])
def test_a_server_that_cannot_prove_its_name_is_not_spoken_to(
    create: Create, another: bool, server: Postgres, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if another:
        trustme.CA().cert_pem.write_to_path(secret / "ca.crt")
    else:
        (secret / "ca.crt").unlink()
    assert_unavailable(create(secret).test_client(), "certificate verify failed", capsys)


def test_a_server_of_another_name_is_not_spoken_to(
    create: Create, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (secret / "host").write_text("localhost")
    assert_unavailable(create(secret).test_client(), 'does not match host name "localhost"', capsys)


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port whose server accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.slow
def test_a_server_that_says_nothing_is_given_up_in_time(
    create: Create, server: Postgres, silent: int, tmp_path: Path
) -> None:
    client = create(server.secret(tmp_path / "secret", dbname="postgres", port=str(silent))).test_client()
    began = time.monotonic()
    assert client.get(PATH).status_code == 503
    assert time.monotonic() - began < database.CONNECT_SECONDS + 1


@pytest.mark.slow
def test_a_statement_that_waits_is_given_up_in_time(client: FlaskClient, server: Postgres, secret: Path) -> None:
    with server.admin((secret / "dbname").read_text()) as admin, admin.transaction():
        admin.execute("SET LOCAL idle_in_transaction_session_timeout = '10s'")  # for when it is not given up
        admin.execute("LOCK TABLE products")
        began = time.monotonic()
        assert client.get(PATH).status_code == 503
        assert time.monotonic() - began < database.STATEMENT_MILLISECONDS / 1000 + 1
    assert client.get(PATH).status_code == 200


def test_a_request_without_a_free_connection_is_given_up_in_time(
    create: Create, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "POOL_SECONDS", 0.1)
    app = create(secret)
    with ExitStack() as held:
        for _ in range(database.POOL_SIZE):
            held.enter_context(app.extensions["database"].connect())
        began = time.monotonic()
        assert app.test_client().get(PATH).status_code == 503
        assert time.monotonic() - began < 5
    assert app.test_client().get(PATH).status_code == 200


def test_a_database_that_was_away_serves_again_at_once_without_a_failed_request(
    client: FlaskClient, server: Postgres, secret: Path
) -> None:
    name = (secret / "dbname").read_text()
    assert client.get(PATH).status_code == 200
    with server.admin() as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    assert client.get(PATH).status_code == 200


def test_a_changed_password_needs_no_restart(create: Create, server: Postgres, secret: Path) -> None:
    good = (secret / "password").read_text()
    (secret / "password").write_text("not yet")
    client = create(secret).test_client()
    assert client.get(PATH).status_code == 503
    (secret / "password").write_text(f"{good}\n")
    assert client.get(PATH).status_code == 200


def test_every_connection_is_encrypted_and_says_whose_it_is(
    client: FlaskClient, server: Postgres, secret: Path
) -> None:
    client.get(PATH)
    query = (
        "SELECT ssl, application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
        "WHERE datname = %s AND usename = 'catalog'"
    )
    with server.admin() as admin:
        assert admin.execute(query, [(secret / "dbname").read_text()]).fetchall() == [(True, "catalog")]


def test_a_catalog_without_its_database_stays_ready(create: Create, server: Postgres, tmp_path: Path) -> None:
    client = create(server.secret(tmp_path / "secret", dbname="postgres", port=str(free_port()))).test_client()
    assert client.get(PATH).status_code == 503
    assert {client.get(path).status_code for path in ("/readyz", "/healthz")} == {200}
    assert client.get(f"{PATH}/openapi.json").status_code == 200
