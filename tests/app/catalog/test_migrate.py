"""Migrations: to the newest revision, once, by one at a time, and never back."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from catalog import database, migrate
from catalog.products import Base
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from tests.app.catalog.conftest import Create
from tests.app.catalog.postgres import Postgres
from tests.app.gunicorn_process import APPS, free_port


@pytest.fixture
def engine(empty: Path) -> Iterator[Engine]:
    """Return an engine of a database in which nothing is."""
    made = database.engine(empty)
    yield made
    made.dispose()


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_an_empty_database_becomes_what_the_app_expects(engine: Engine, empty: Path, create: Create) -> None:
    migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    products = create(empty).test_client().get("/api/products").get_json()["items"]
    assert len(products) == 8
    assert {product["created_at"] for product in products} == {"2026-01-01T00:00:00+00:00"}


def test_to_migrate_again_changes_nothing(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM products WHERE sku = 'CUP-SMALL'"))
    migrate.upgrade(engine)
    assert rows(engine, "SELECT count(*) FROM products") == [(7,)]


def test_processes_that_migrate_at_the_same_time_do_it_once(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate.upgrade, [engine] * 4))
    assert rows(engine, "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_database_of_a_later_version_is_left_alone(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    migrate.upgrade(engine)
    assert rows(engine, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert "the database is of a later version" in capsys.readouterr().out


def test_a_migration_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        # The second revision cannot put its rows into it, the first one is stopped from making it.
        connection.execute(text("CREATE VIEW products AS SELECT 1 AS one"))
    with pytest.raises(ProgrammingError):
        migrate.upgrade(engine)
    assert rows(engine, "SELECT relname FROM pg_class WHERE relname = 'alembic_version'") == []


def test_a_lock_that_another_holds_is_not_waited_for_without_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "OTHERS_SECONDS", 0.1)
    with engine.begin() as other:
        other.execute(text(f"SELECT pg_advisory_xact_lock({migrate.ADVISORY_LOCK})"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate.upgrade(engine)


def test_a_database_that_does_not_come_is_waited_for_in_bounds_and_with_a_word(
    server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = database.engine(server.secret(tmp_path / "secret", dbname="postgres", port=str(free_port())))
    began = time.monotonic()
    with pytest.raises(OperationalError):
        migrate.upgrade(engine, seconds=0.5)
    assert 0.5 <= time.monotonic() - began < 2
    assert "waiting for the database" in capsys.readouterr().out


def test_a_database_that_is_only_starting_is_waited_for(
    engine: Engine, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "WAIT_SECONDS", 0.1)
    port = (empty / "port").read_text()
    (empty / "port").write_text(str(free_port()))
    with ThreadPoolExecutor() as pool:
        migrating = pool.submit(migrate.upgrade, engine)
        time.sleep(0.3)
        (empty / "port").write_text(port)
        migrating.result()


def run(**environ: str) -> "subprocess.CompletedProcess[str]":
    """Migrate as the Job does."""
    path = f"{APPS / 'chassis'}:{APPS / 'catalog'}"
    command = [sys.executable, "-m", "catalog.migrate"]
    return subprocess.run(  # noqa: S603  what it starts stands in this repository
        command,
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_job_migrates_and_says_so(empty: Path) -> None:
    done = run(DATABASE_DIR=str(empty))
    assert (done.returncode, done.stderr) == (0, "")
    assert '"event": "the database is up to date"' in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_job_fails_with_a_line_where_the_schema_is_in_the_way(empty: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW products AS SELECT 1 AS one"))
    failed = run(DATABASE_DIR=str(empty))
    assert failed.returncode == 1


@pytest.mark.slow
def test_the_job_names_what_is_wrong_with_its_environment() -> None:
    refused = run(DATABASE_DIR="here")
    assert refused.returncode == 1
    assert refused.stderr.startswith("catalog cannot start, its environment is wrong:\n  DATABASE_DIR: 'here'")
