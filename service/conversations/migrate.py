"""Upgrades the tables with Alembic, and reports whether processes left unfinished replies.

`python -m service.conversations.migrate` does so in a separate process, so that the service does not load Alembic.
Standard input has the database's address, and in a second line the keys that its rows are encrypted with; the output is
one line of JSON.
"""

import asyncio
import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, func, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.conversations.database import Database, reason_of, write_ahead
from service.conversations.faults import DamagedRow, DatabaseUnavailable
from service.conversations.responses import Responses
from service.conversations.rows import Rows, conversation_rows
from service.conversations.store import last_rows
from service.conversations.tables import conversations
from service.encryption import Seal, Unopened, open_seal

_LOCK = 0x61727465736961  # "artesia": PostgreSQL's advisory locks are numbers
_UNKNOWN_SCHEMA = (
    "ARTESIAN_DATABASE_URL: the schema is of another version of Artesian, perhaps a later one; what can be read is "
    "served. Upgrade the service, or choose another database"
)
_UPGRADE_WAIT_S = 30  # for another process that is upgrading


async def upgrade(database: Database) -> int:
    """Upgrade, one process at a time, and return the number of claimed conversations."""
    async with database.write() as connection:
        if not database.sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await connection.run_sync(_migrate)
        return await _count_claims(connection)


async def check_key(database: Database, seal: Seal) -> None:
    """Check that the latest rows can be decrypted. A damaged row is named in the log.

    Raises:
        Unopened: they are encrypted with another key.
    """
    with suppress(DamagedRow):
        await _check_conversation(database, seal)
    with suppress(DamagedRow):
        await Responses(database, seal).check_key()


async def _check_conversation(database: Database, seal: Seal) -> None:
    rows = Rows(seal)
    latest = conversation_rows().order_by(conversations.c.updated_ms.desc()).limit(1)
    async with database.read() as connection:
        for row in (await connection.execute(latest)).mappings().all():
            rows.conversation(row)
            for message in await last_rows(connection, row["id"], 1):
                rows.message(message, None)


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def prepare_file(path: str) -> None:
    """Create the database file, or wait for the process that does.

    Raises:
        sqlite3.OperationalError: the path cannot have a database.
        OSError: the file cannot be created.
    """
    if not Path(path).exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # readable by its owner only
    until = monotonic() + _UPGRADE_WAIT_S
    while True:
        try:
            write_ahead(path)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > until:
                raise
            sleep(0.02)  # SQLite's busy timeout does not apply to a change of the journal's mode
        else:
            return


async def _run(address: str, encryption_key: str) -> dict[str, Any]:
    url = make_url(address)
    database = Database(address)
    try:
        if database.sqlite and url.database:
            prepare_file(url.database)
        return await _found(database, encryption_key)
    except Unopened as error:
        return {"error": error.message}
    except DatabaseUnavailable as error:
        return {"error": error.reason}
    except (sqlite3.Error, OSError) as error:
        return {"error": reason_of(error)}
    finally:
        await database.close()


async def _found(database: Database, encryption_key: str) -> dict[str, Any]:
    warning = None
    try:
        unfinished = await upgrade(database)
    except CommandError:
        async with database.read() as connection:
            unfinished, warning = await _count_claims(connection), _UNKNOWN_SCHEMA
    await check_key(database, open_seal(encryption_key))
    return {"unfinished": unfinished} | ({"warning": warning} if warning else {})


async def _count_claims(connection: AsyncConnection) -> int:
    found = await connection.execute(
        select(func.count()).select_from(conversations).where(conversations.c.claim.is_not(None))
    )
    return int(found.scalar_one())


def main() -> None:
    """Upgrade the database whose address is on standard input."""
    address, _, encryption_key = sys.stdin.read().partition("\n")
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_run(address, encryption_key.strip()))))


if __name__ == "__main__":
    main()
