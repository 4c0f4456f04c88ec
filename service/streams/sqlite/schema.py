"""The tables and the connection to them."""

import os
import sqlite3
import time
from pathlib import Path

VERSION = 1

BUSY_S = 0.5  # shorter than a call's timeout; another process locks the file for some milliseconds at a time

# Events are written some hundred times as often as anything else, so a batch is one short row in a table of its own,
# and a renewal of a lease does not rewrite a record with its images.
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

# Stored only while the stream runs, in a table of its own: nothing else of a stream is deleted before it expires. A
# file of an earlier build gets the table when it is opened.
_REQUESTS = "CREATE TABLE IF NOT EXISTS request (stream INTEGER PRIMARY KEY, content BLOB NOT NULL)"


class WrongSchema(Exception):
    """The file has tables of another version."""


def connect(path: str) -> sqlite3.Connection:
    """Open the file, create missing tables, and write one row to check that the file can be written to.

    Raises:
        sqlite3.Error: it cannot be used.
        OSError: it cannot be created.
        WrongSchema: its tables are of another version.
    """
    if not Path(path).exists():  # readable by its owner only: it has prompts and answers
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives any crash of a process; a power cut loses recent writes
        database.execute("PRAGMA journal_size_limit = 67108864")  # bytes that the log keeps after a burst
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


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
        raise WrongSchema(f"the file has version {version}; this build needs version {VERSION}")
