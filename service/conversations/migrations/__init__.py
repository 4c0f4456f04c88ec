"""Alembic's migrations, run by `service.conversations.migrate`."""
