"""The connection to PostgreSQL, and what a request gets when there is none.

Where the database is, and as whom to log in, stands in files of one directory: ``host``, ``port``, ``dbname``,
``username``, ``password`` and ``ca.crt``. They are read for each new connection, so that a changed password needs no
restart. A connection is encrypted, and the server has to prove its name: by a certificate of ``ca.crt``, or, without
that file, of an authority that the base image trusts.

Nothing waits for a dead database for long: each step has its limit below, and a request that meets one is answered with
503 and Retry-After. Deliberately not here: further attempts, which are the callers' to make, as they know how long they
can wait.
"""

from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
import structlog
from chassis import problems
from flask import Flask
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from werkzeug import Response
from werkzeug.exceptions import ServiceUnavailable

POOL_SIZE = 4
"""Connections of a worker, at most: one for each of its threads, unless it was given more of these."""

POOL_SECONDS = 1.0
"""How long a request may wait for one of them."""

CONNECT_SECONDS = 2
"""How long connecting may take; libpq knows no less."""

STATEMENT_MILLISECONDS = 2000
"""How long a statement may run, and for how long a connection may give no sign of life in the middle of one."""

RECYCLE_SECONDS = 300
"""How old a connection may get, so that a password or certificate that was changed is soon the only one in use."""

RETRY_AFTER_SECONDS = 5
"""When a client may try again."""

TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
"""The authorities that Debian and images made from it trust."""

FAILURES = (OperationalError, InterfaceError, InternalError, sqlalchemy.exc.TimeoutError)
"""What is raised where the database is away, stops, is a standby, is too slow, or has no connection left."""

log = structlog.stdlib.get_logger(__name__)


def engine(directory: Path) -> Engine:
    """Return an engine, with a pool, that finds its database by the files in ``directory``. It does not connect yet."""
    made = create_engine(
        "postgresql+psycopg://",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,  # what clients send stays out of the log
    )

    @event.listens_for(made, "do_connect")
    def read(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        parameters.update(_parameters(directory))

    return made


def _parameters(directory: Path) -> dict[str, Any]:
    certificates = directory / "ca.crt"
    try:
        return {
            "host": _text(directory / "host"),
            "port": _text(directory / "port"),
            "dbname": _text(directory / "dbname"),
            "user": _text(directory / "username"),
            "password": _text(directory / "password"),
            "sslmode": "verify-full",
            "sslrootcert": str(certificates if certificates.exists() else TRUSTED),
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": STATEMENT_MILLISECONDS,
            "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}",
            "application_name": "catalog",
        }
    except OSError as error:
        raise psycopg.OperationalError(f"{error}; mount the connection's secret at {directory}") from error


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def reason(error: Exception) -> str:
    """Say in one line why the database is not there, without the statement that met it."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]


def describe_failures(app: Flask) -> None:
    """Answer requests that the database fails with 503, and log one line each."""

    def unavailable(error: Exception) -> Response:
        log.warning("the database is unavailable", error=reason(error))
        description = "The catalog's database is unavailable at the moment; nothing is known to have been changed."
        return problems.response(ServiceUnavailable(description, retry_after=RETRY_AFTER_SECONDS))

    for failure in FAILURES:
        app.register_error_handler(failure, unavailable)
