"""Conversations: what was said, kept in a database of one's own choice.

SQLAlchemy and Alembic are heavy (18 and 9 MB), so nothing of them is imported until a conversation is asked for, and
Alembic only by a process of its own (`upgrade`) that ends when the tables are right.
"""
