"""The database: one pool of connections, transactions that are short, and its absence told in one way."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from service.errors import ServiceError

_CONNECT_S = 5
_COMMAND_S = 15  # of PostgreSQL; none of ours takes a tenth of a second
_POOL = 5  # connections a process holds; transactions take milliseconds
_BUSY_MS = 5000  # how long SQLite waits for another writer

_AWAY: tuple[type[Exception], ...] = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.TimeoutError,
    OSError,
)
"""What says that a database is away, in SQLAlchemy's words."""


class Database:
    """One database. `read` and `write` open a transaction each; leaving a block with an error undoes it."""

    def __init__(self, address: str) -> None:
        url = make_url(address)
        self.sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite(address, in_memory=not url.database) if self.sqlite else _postgresql(address)
        self._away = _AWAY if self.sqlite else (*_AWAY, *_postgresql_away())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """See one state of the tables.

        Raises:
            ServiceError: 503, the database is away.
        """
        with_options = self._engine.execution_options(reads=True)
        async with self._told_when_away(), with_options.begin() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Change the tables, all or nothing.

        Raises:
            ServiceError: 503, the database is away.
        """
        async with self._told_when_away(), self._engine.begin() as connection:
            yield connection

    async def wipe(self) -> None:
        """Let nothing of what was deleted be left in SQLite's log, as far as no other process holds on to it just now.

        In the file itself deleted rows are overwritten at once (`secure_delete`). PostgreSQL does both in its own time.
        """
        if self.sqlite:
            async with self._told_when_away(), self._engine.connect() as connection:
                plain: Any = (await connection.get_raw_connection()).driver_connection  # outside of any transaction
                await plain.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def check(self) -> None:
        """Ask for an answer.

        Raises:
            ServiceError: 503, the database is away.
        """
        async with asyncio.timeout(_CONNECT_S), self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _told_when_away(self) -> AsyncIterator[None]:
        try:
            yield
        except self._away as away:
            raise ServiceError(
                "overloaded", "The database of conversations cannot be reached just now.", retry_after=5
            ) from away


def _postgresql_away() -> tuple[type[Exception], ...]:
    """What asyncpg says while it connects, which SQLAlchemy does not put in its own words."""
    import asyncpg  # 3 MB that SQLite does not need

    return (
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
    )


def _postgresql(address: str) -> AsyncEngine:
    return create_async_engine(
        address,
        hide_parameters=True,  # what was said stands in no error
        pool_size=_POOL,
        pool_timeout=_CONNECT_S,
        pool_pre_ping=True,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S},
    )


def _sqlite(address: str, *, in_memory: bool) -> AsyncEngine:
    """Transactions that mean to write say so at their beginning: SQLite refuses those that change their mind."""
    engine = create_async_engine(
        address,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if in_memory else _POOL,  # what is in memory belongs to its one connection
        max_overflow=0,
        pool_timeout=_CONNECT_S,
        connect_args={"isolation_level": None},  # `BEGIN` is ours
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_MS}", "foreign_keys=ON", "synchronous=NORMAL", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

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
