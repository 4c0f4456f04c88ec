"""Stored responses, which later requests can refer to: input items and output.

Both are compressed, since each response includes the whole conversation before it, so that it can be continued
whatever happens to the earlier ones.
"""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from service.conversations.database import Database
from service.conversations.rows import damage_named
from service.conversations.tables import metadata
from service.conversations.values import now_ms
from service.encryption import NoSeal, Seal

Json = dict[str, Any]

_QUICK = 1  # zlib's level: the last few percent of size would take ten times as long

responses = Table(
    "responses",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("caller", String(255), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("input", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Index("ix_responses_expires", "expires_ms"),
)


class StoredResponse(Struct, frozen=True):
    """One response; `id` is its stream's. Times are Unix milliseconds. `ended`: `response` is final."""

    id: str
    caller: str
    created_ms: int
    expires_ms: int
    input: list[Json]
    response: Json
    ended: bool = False


class Responses:
    """The stored responses of all callers."""

    def __init__(self, database: Database, seal: Seal | None = None) -> None:
        self._database = database
        self._seal = seal or NoSeal()

    async def begin(self, stored: StoredResponse) -> None:
        """Store a response that has started; a row that exists is not changed."""
        statement = self._database.insert(responses).values(await self._row(stored)).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def put(self, stored: StoredResponse) -> None:
        """Store a response that has ended; a row that exists is replaced."""
        row = await self._row(stored)
        ended = {name: row[name] for name in ("response", "expires_ms", "ended")}
        statement = self._database.insert(responses).values(row)
        async with self._database.write() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=[responses.c.id], set_=ended))

    async def _row(self, stored: StoredResponse) -> dict[str, Any]:
        return msgspec.structs.asdict(stored) | {
            "input": await asyncio.to_thread(self._pack, stored.input, stored.id, "input"),
            "response": await asyncio.to_thread(self._pack, stored.response, stored.id, "response"),
        }

    async def finish(self, response_id: str, response: Json, expires_ms: int) -> bool:
        """Store the end of a response. False: it has no row; it may have been deleted.

        A failure replaces no end that is stored: a process that lost its journal may have completed the answer, which
        the process that took the stream over could not.
        """
        values = {
            "response": await asyncio.to_thread(self._pack, response, response_id, "response"),
            "expires_ms": expires_ms,
            "ended": True,
        }
        row = responses.c.id == response_id
        replaced = row if response["status"] != "failed" else and_(row, ~responses.c.ended)
        async with self._database.write() as connection:
            changed = await connection.execute(update(responses).where(replaced).values(values))
            if changed.rowcount == 0:
                return (await connection.execute(select(responses.c.id).where(row))).first() is not None
        return True

    async def get(self, caller: str, response_id: str) -> StoredResponse | None:
        """Find a caller's response that has not expired.

        Raises:
            DamagedRow: 503.
        """
        query = select(responses).where(_is(caller, response_id), responses.c.expires_ms > now_ms())
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        with damage_named("responses", response_id):
            items, request = await asyncio.to_thread(
                lambda: (self._unpack(row, "input", list[Json]), self._unpack(row, "response", Json))
            )
            return StoredResponse(**{**row, "input": items, "response": request})

    async def check_key(self) -> None:
        """Check that the latest response can be read.

        Raises:
            Unopened: it is encrypted with another key.
            DamagedRow: 503.
        """
        query = select(responses).order_by(responses.c.expires_ms.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is not None:
            with damage_named("responses", row["id"]):
                self._unpack(row, "input", list[Json])

    async def delete(self, caller: str, response_id: str) -> bool:
        """Delete a caller's response. False: there was none."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(responses).where(_is(caller, response_id)))
        await self._database.truncate_log()
        return gone.rowcount > 0

    async def expire(self) -> None:
        """Delete expired responses."""
        async with self._database.write() as connection:
            await connection.execute(delete(responses).where(responses.c.expires_ms <= now_ms()))

    def _pack(self, value: Json | Sequence[Json], response_id: str, column: str) -> bytes:
        return self._seal.close(zlib.compress(msgspec.json.encode(value), _QUICK), _scope(response_id), column)

    def _unpack(self, row: RowMapping, column: str, kind: Any) -> Any:
        packed = self._seal.open(row[column], _scope(row["id"]), column)
        return msgspec.json.decode(zlib.decompress(packed), type=kind)


def _scope(response_id: str) -> str:
    return f"response/{response_id}"


def _is(caller: str, response_id: str) -> ColumnElement[bool]:
    return and_(responses.c.id == response_id, responses.c.caller == caller)
