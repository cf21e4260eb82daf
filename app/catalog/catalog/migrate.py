"""Bring the database to the schema of this version: ``python3 -m catalog.migrate``, before any of its pods starts.

Pods of the version before still run then, and go on when this version is rolled back: so a schema is changed in two
steps, of two releases. The first *expands*: it only adds what the version before does not notice (a table, an index, a
column that may be null or has a default). The second *contracts*: it removes what no version uses any more that could
still be run. To rename a column is therefore to add one, write both, fill it, read the new one, and drop the old.
Migrations know no way back: a version is rolled back by running the one before, on the schema as it is. That one meets
revisions that it does not know, and leaves them alone.

All that is to be done is done in one transaction, or not at all, and by one process at a time, however many are
started. It waits ``DATABASE_SECONDS`` for a database that is only starting, and for locks ``LOCK_SECONDS``, so that a
change of a table never keeps requests waiting for long behind another that does not end. What fails ends with status 1,
for the Job to try again.
"""

import logging.config
import os
import sys
import time
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from chassis import logs
from chassis.config import ConfigError
from sqlalchemy import Connection, Engine, text

from catalog import database
from catalog.config import Config

DATABASE_SECONDS = 60.0
"""How long the database is waited for."""

WAIT_SECONDS = 2.0
"""How long until it is looked for again."""

LOCK_SECONDS = 5
"""How long a table's lock is waited for."""

OTHERS_SECONDS = 60
"""How long another process that migrates is waited for."""

ADVISORY_LOCK = 0x636174616C6F67
"""The lock that only one process that migrates can have: ``catalog`` in ASCII."""

log = structlog.stdlib.get_logger(__name__)


def upgrade(engine: Engine, seconds: float = DATABASE_SECONDS) -> None:
    """Bring the database to the newest revision that this version knows, or leave it at a newer one.

    Raises:
        DBAPIError: the database did not come in ``seconds``, or a lock or statement failed.
    """
    with _connected(engine, seconds) as connection, connection.begin():
        connection.execute(text(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{OTHERS_SECONDS}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        config = AlembicConfig(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
        if unknown:
            log.warning("the database is of a later version; its schema is left as it is", revisions=sorted(unknown))
            return
        command.upgrade(config, "head")
    log.info("the database is up to date", revision=max(known))


def _connected(engine: Engine, seconds: float) -> Connection:
    end = time.monotonic() + seconds
    while True:
        try:
            return engine.connect()
        except database.FAILURES as error:
            left = end - time.monotonic()
            if left <= 0:
                raise
            log.info("waiting for the database", seconds_left=round(left), error=database.reason(error))
        time.sleep(min(WAIT_SECONDS, left))


def main() -> None:
    """Migrate; exit with 1 if that was not possible."""
    try:
        config = Config.from_env(os.environ)
    except ConfigError as error:
        sys.exit(str(error))
    logging.config.dictConfig(logs.dict_config(config.log_level))
    logs.configure()
    try:
        upgrade(database.engine(config.database_dir))
    except database.FAILURES as error:
        log.error("the database was not migrated", error=database.reason(error))  # noqa: TRY400 - the reason says it all
        sys.exit(1)


if __name__ == "__main__":
    main()
