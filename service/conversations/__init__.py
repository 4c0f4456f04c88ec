"""Conversations: their messages, stored in a database that the operator chooses.

SQLAlchemy and Alembic are heavy (18 and 9 MB), so nothing of them is imported before the first request for a
conversation, and Alembic only by a separate process (`upgrade`) that ends when the tables are up to date.
"""
