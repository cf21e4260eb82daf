"""What Alembic runs to migrate; the connection, its transaction and its locks are ``catalog.migrate``'s."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
