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
_COMMAND_S = 15  # PostgreSQL; none of our commands takes a tenth of a second
_POOL = 5  # connections of a process; transactions take milliseconds
_BUSY_MS = 5000  # how long SQLite waits for another writer

_UNAVAILABLE: tuple[type[Exception], ...] = (
    exc.DBAPIError,  # also a read-only standby, a missing table or column, a malformed file, a full disk
    exc.TimeoutError,  # of the pool
    exc.PendingRollbackError,  # the connection was lost within the transaction
    exc.ResourceClosedError,
    sqlite3.Error,  # what aiosqlite raises outside of a statement
    OSError,
)
"""Errors which say that the database cannot do its work. SQLAlchemy's others are bugs of ours."""

_MISSING = ("no such table", "no such column", "UndefinedTableError", "UndefinedColumnError")
_TEMPORARY = ("locked", "busy", "full")  # of SQLite's errors: the connection remains usable


class Database:
    """One database. `read` and `write` open a transaction each; leaving a block with an error rolls it back.

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
        """Open a transaction that sees one consistent state.

        Raises:
            DatabaseUnavailable: 503.
        """
        with_options = self._engine.execution_options(reads=True)
        async with self._errors_converted(), with_options.begin() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that changes the tables, all or nothing.

        Raises:
            DatabaseUnavailable: 503.
        """
        async with self._errors_converted(), self._engine.begin() as connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an `INSERT` with support for `ON CONFLICT`."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    async def truncate_log(self) -> None:
        """Remove deleted content from SQLite's write-ahead log, unless another process is reading the log.

        In the file itself deleted rows are overwritten at once (`secure_delete`). PostgreSQL does both in its own time.
        """
        if self.sqlite:
            async with self._errors_converted(), self._engine.connect() as connection:
                plain: Any = (await connection.get_raw_connection()).driver_connection  # outside of any transaction
                await plain.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def check(self) -> None:
        """Run a query to check that the database responds.

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
            if self._file and not any(word in reason for word in _TEMPORARY):
                self._file.invalidate()
            if any(word in reason for word in _MISSING):
                self._on_missing()
            raise DatabaseUnavailable(reason) from error


def reason_of(error: BaseException) -> str:
    """Describe an error for the log: its type, and SQLite's own message, which has no stored value and no address."""
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    original = original.__cause__ or original  # SQLAlchemy's adapter has the driver's own error as its cause
    words = str(original).partition("\n")[0] if isinstance(original, sqlite3.Error) else ""
    return f"{type(original).__name__}: {words}".rstrip(": ")


class _File:
    """SQLite's file. Its connections are valid only while it is neither replaced nor damaged."""

    def __init__(self, path: str | None) -> None:
        self._path = path or ""
        self._generation = 0

    def identity(self) -> tuple[int, int, int]:
        """Return what identifies the file and the validity of its connections.

        Raises:
            sqlite3.OperationalError: the file is missing: SQLite would create an empty one.
        """
        try:
            status = os.stat(self._path)  # noqa: PTH116 - for each transaction: a `Path` costs five times as much
        except OSError as error:
            raise sqlite3.OperationalError("the file of the database is missing") from error
        return status.st_dev, status.st_ino, self._generation

    def invalidate(self) -> None:
        """Invalidate all connections: their caches may have damaged pages."""
        self._generation += 1


def _postgresql_errors() -> tuple[type[Exception], ...]:
    """Return what asyncpg raises while it connects, which SQLAlchemy does not convert."""
    import asyncpg  # 3 MB that SQLite does not need

    return (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _postgresql(address: str) -> AsyncEngine:
    return create_async_engine(
        address,
        hide_parameters=True,  # errors must not contain stored text
        pool_size=_POOL,
        pool_timeout=_CONNECT_S,
        pool_pre_ping=True,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S},
    )


def _sqlite(address: str, file: _File | None) -> AsyncEngine:
    """Create an engine whose writing transactions take the lock at their start: SQLite refuses a later upgrade."""
    engine = create_async_engine(
        address,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=_POOL if file else 1,  # an in-memory database belongs to its one connection
        max_overflow=0,
        pool_timeout=_CONNECT_S,
        connect_args={"isolation_level": None},  # we send `BEGIN`
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
    """Switch a file of SQLite to write-ahead logging, permanently, so that it can be read during writes.

    Raises:
        sqlite3.OperationalError: another process uses the file, or it cannot be created.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
