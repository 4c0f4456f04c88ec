"""Responses that can be referred to for a while: what was asked, as items, and what came of it.

Both are compressed, since each response brings the whole conversation before it along: so it can be gone on from
whatever became of the earlier ones.
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

_QUICK = 1  # zlib's level: a fifth of the size for a tenth of the time that the last few percent would take

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


class Kept(Struct, frozen=True):
    """One response; `id` is its stream's. Times are Unix milliseconds. `ended`: `response` will not change any more."""

    id: str
    caller: str
    created_ms: int
    expires_ms: int
    input: list[Json]
    response: Json
    ended: bool = False


class Responses:
    """The kept responses of all callers."""

    def __init__(self, database: Database, seal: Seal | None = None) -> None:
        self._database = database
        self._seal = seal or NoSeal()

    async def begin(self, kept: Kept) -> None:
        """Keep a response; one that is kept already stays as it is."""
        statement = self._database.insert(responses).values(await self._row(kept)).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def put(self, kept: Kept) -> None:
        """Store a response that has ended, whatever is stored of it already."""
        row = await self._row(kept)
        ended = {name: row[name] for name in ("response", "expires_ms", "ended")}
        statement = self._database.insert(responses).values(row)
        async with self._database.write() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=[responses.c.id], set_=ended))

    async def _row(self, kept: Kept) -> dict[str, Any]:
        return msgspec.structs.asdict(kept) | {
            "input": await asyncio.to_thread(self._pack, kept.input, kept.id, "input"),
            "response": await asyncio.to_thread(self._pack, kept.response, kept.id, "response"),
        }

    async def finish(self, response_id: str, response: Json, expires_ms: int) -> bool:
        """Keep how a response ended. False: there is no row of it; it may have been deleted."""
        values = {
            "response": await asyncio.to_thread(self._pack, response, response_id, "response"),
            "expires_ms": expires_ms,
            "ended": True,
        }
        async with self._database.write() as connection:
            changed = await connection.execute(update(responses).where(responses.c.id == response_id).values(values))
        return changed.rowcount > 0

    async def get(self, caller: str, response_id: str) -> Kept | None:
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
            given, told = await asyncio.to_thread(
                lambda: (self._unpack(row, "input", list[Json]), self._unpack(row, "response", Json))
            )
            return Kept(**{**row, "input": given, "response": told})

    async def check_key(self) -> None:
        """See whether what was kept last can be read.

        Raises:
            Unopened: it is encrypted with a key that is not ours.
            DamagedRow: 503.
        """
        query = select(responses).order_by(responses.c.expires_ms.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is not None:
            with damage_named("responses", row["id"]):
                self._unpack(row, "input", list[Json])

    async def delete(self, caller: str, response_id: str) -> bool:
        """Forget a caller's response. False: there was none."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(responses).where(_is(caller, response_id)))
        await self._database.wipe()
        return gone.rowcount > 0

    async def expire(self) -> None:
        """Forget what can no longer be referred to."""
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
