"""Streams in one SQLite file, for several processes of one machine."""

from service.streams.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
