"""The database: one pool of connections, short transactions, and one place that converts its errors to ours."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Table, event, exc, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from service.conversations.faults import DatabaseUnavailable

_CONNECT_S = 5
_COMMAND_S = 15  # of PostgreSQL; none of ours takes a tenth of a second
_POOL = 5  # connections a process holds; transactions take milliseconds
_BUSY_MS = 5000  # how long SQLite waits for another writer

_UNAVAILABLE: tuple[type[Exception], ...] = (
    exc.DBAPIError,  # also a read-only standby, a missing table or column, a malformed file, a full disk
    exc.TimeoutError,  # of the pool
    exc.PendingRollbackError,  # the connection was lost within the transaction
    exc.ResourceClosedError,
    sqlite3.Error,  # what aiosqlite raises outside of a statement
    OSError,
)
"""Errors that say that the database cannot do its work. SQLAlchemy's others are mistakes of ours."""

_MISSING = ("no such table", "no such column", "UndefinedTableError", "UndefinedColumnError")
_PASSING = ("locked", "busy", "full")  # of SQLite's errors: the connection is as good as before


class Database:
    """One database. `read` and `write` open a transaction each; leaving a block with an error undoes it.

    `on_missing` is called when a table or a column is missing.
    """

    def __init__(self, address: str, on_missing: Callable[[], None] = lambda: None) -> None:
        url = make_url(address)
        self.sqlite = url.get_backend_name() == "sqlite"
        self._on_missing = on_missing
        self._file = _File(url.database) if self.sqlite and url.database not in {None, "", ":memory:"} else None
        self._engine = _sqlite(address, self._file) if self.sqlite else _postgresql(address)
        self._unavailable = _UNAVAILABLE if self.sqlite else (*_UNAVAILABLE, *_postgresql_errors())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """See one state of the tables.

        Raises:
            DatabaseUnavailable: 503.
        """
        with_options = self._engine.execution_options(reads=True)
        async with self._errors_converted(), with_options.begin() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Change the tables, all or nothing.

        Raises:
            DatabaseUnavailable: 503.
        """
        async with self._errors_converted(), self._engine.begin() as connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Make an `INSERT` that knows `ON CONFLICT`."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    async def wipe(self) -> None:
        """Let nothing of what was deleted be left in SQLite's log, as far as no other process holds on to it just now.

        In the file itself deleted rows are overwritten at once (`secure_delete`). PostgreSQL does both in its own time.
        """
        if self.sqlite:
            async with self._errors_converted(), self._engine.connect() as connection:
                plain: Any = (await connection.get_raw_connection()).driver_connection  # outside of any transaction
                await plain.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def check(self) -> None:
        """Ask for an answer.

        Raises:
            DatabaseUnavailable: 503.
        """
        async with asyncio.timeout(_CONNECT_S), self.read() as connection:
            await connection.execute(text("SELECT 1 FROM conversations WHERE 1 = 0"))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _errors_converted(self) -> AsyncIterator[None]:
        try:
            yield
        except self._unavailable as error:
            reason = reason_of(error)
            if self._file and not any(word in reason for word in _PASSING):
                self._file.distrust()
            if any(word in reason for word in _MISSING):
                self._on_missing()
            raise DatabaseUnavailable(reason) from error


def reason_of(error: BaseException) -> str:
    """Name an error for the log: its type, and SQLite's own words, which hold no value and no address."""
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    original = original.__cause__ or original  # SQLAlchemy's adapter has the driver's own error as its cause
    words = str(original).partition("\n")[0] if isinstance(original, sqlite3.Error) else ""
    return f"{type(original).__name__}: {words}".rstrip(": ")


class _File:
    """SQLite's file, as connections to it must find it: neither replaced nor damaged since they were opened."""

    def __init__(self, path: str | None) -> None:
        self._path = path or ""
        self._generation = 0

    def identity(self) -> tuple[int, int, int]:
        """Name what a connection that is opened now is connected to.

        Raises:
            sqlite3.OperationalError: the file is missing: SQLite would make an empty one.
        """
        try:
            status = os.stat(self._path)  # noqa: PTH116 - as often as a transaction: a `Path` costs five times as much
        except OSError as error:
            raise sqlite3.OperationalError("the file of the database is missing") from error
        return status.st_dev, status.st_ino, self._generation

    def distrust(self) -> None:
        """Let no connection be used again: what it has in its cache may be what was damaged."""
        self._generation += 1


def _postgresql_errors() -> tuple[type[Exception], ...]:
    """What asyncpg raises while it connects, which SQLAlchemy does not convert."""
    import asyncpg  # 3 MB that SQLite does not need

    return (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _postgresql(address: str) -> AsyncEngine:
    return create_async_engine(
        address,
        hide_parameters=True,  # what was said stands in no error
        pool_size=_POOL,
        pool_timeout=_CONNECT_S,
        pool_pre_ping=True,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S},
    )


def _sqlite(address: str, file: _File | None) -> AsyncEngine:
    """Transactions that mean to write say so at their beginning: SQLite refuses those that change their mind."""
    engine = create_async_engine(
        address,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=_POOL if file else 1,  # what is in memory belongs to its one connection
        max_overflow=0,
        pool_timeout=_CONNECT_S,
        connect_args={"isolation_level": None},  # `BEGIN` is ours
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_MS}", "foreign_keys=ON", "synchronous=NORMAL", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        record.info["file"] = file and file.identity()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    if file:

        @event.listens_for(engine.sync_engine, "do_connect")
        def find(*_: object) -> None:
            file.identity()

        @event.listens_for(engine.sync_engine, "checkout")
        def check(_: Any, record: Any, __: Any) -> None:
            if record.info["file"] != file.identity():
                raise exc.DisconnectionError  # the pool opens another connection

    return engine


def write_ahead(path: str) -> None:
    """Let a file of SQLite be read while it is written to: it stays so.

    Raises:
        sqlite3.OperationalError: another process has the file just now, or there can be none.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
