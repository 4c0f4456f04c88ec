"""Alembic's environment: runs the migrations on the connection and in the transaction that it is given."""

from alembic import context

from service.conversations.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
