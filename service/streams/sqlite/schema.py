"""The tables, and a connection to them."""

import os
import sqlite3
import time
from pathlib import Path

VERSION = 1

BUSY_S = 0.5  # below the journal's patience: another process holds the file for some milliseconds at a time

# Events are written some hundred times as often as anything else, so a batch is one short row in a tree of its own, and
# a record with its images is not written anew with each renewal of a lease.
_TABLES = """
CREATE TABLE stream (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease REAL NOT NULL, -- until when, in Unix seconds; 0: given up
    cancelled INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    keep_until REAL NOT NULL
);
CREATE INDEX running ON stream (lease) WHERE NOT ended;
CREATE INDEX owned ON stream (owner) WHERE NOT ended;
CREATE INDEX aging ON stream (keep_until);
CREATE TABLE record (stream INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE batch (
    stream INTEGER NOT NULL, first INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (stream, first)
) WITHOUT ROWID;
CREATE TABLE binding (
    caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, stream INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;
CREATE INDEX bound ON binding (stream);
CREATE TABLE presence (
    stream INTEGER NOT NULL, process TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (stream, process)
) WITHOUT ROWID;
CREATE TABLE probe (n INTEGER PRIMARY KEY, at REAL NOT NULL);
"""

# Kept only while the stream runs, and in a table of its own: nothing else of a stream is deleted before it expires. A
# file of an earlier build gets the table when it is opened.
_REQUESTS = "CREATE TABLE IF NOT EXISTS request (stream INTEGER PRIMARY KEY, content BLOB NOT NULL)"


class WrongSchema(Exception):
    """The file holds tables of another version."""


def connect(path: str) -> sqlite3.Connection:
    """Open the file, make its tables where they are missing, and write a word to see that it can be written to.

    Raises:
        sqlite3.Error: it cannot be used.
        OSError: it cannot be made.
        WrongSchema: it is another version's.
    """
    _make(path)
    database = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives any death of a process; a power cut costs the last moments
        database.execute("PRAGMA journal_size_limit = 67108864")  # bytes that the log keeps after a burst
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _make(path: str) -> None:
    """Make the file if it is missing, for its owner's eyes alone: it holds prompts and answers."""
    if not Path(path).exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES.split(";\n"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {VERSION}")
        else:
            _check(version)
        database.execute(_REQUESTS)
        database.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (time.time(),))
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _check(version: int) -> None:
    if version != VERSION:
        raise WrongSchema(f"the file is of version {version}, and this is version {VERSION}")
