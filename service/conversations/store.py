"""Conversations in the database: create, list, read, change, delete. A caller has access to its own only."""

from typing import Any

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from service.conversations import cursors
from service.conversations.database import Database
from service.conversations.rows import Rows, conversation_rows, readable
from service.conversations.tables import conversations, messages
from service.conversations.values import Conversation, Page, StoredMessage, new_id, now_ms
from service.encryption import NoSeal, Seal
from service.errors import ServiceError

_LAST_POSITION = 2**31 - 1  # the column's maximum


class ConversationStore:
    """The conversations of all callers."""

    def __init__(self, database: Database, seal: Seal | None = None) -> None:
        self.database = database
        self.rows = Rows(seal or NoSeal())

    async def create(
        self, caller: str, *, title: str | None, system: str | None, model_id: str | None, max_messages: int
    ) -> Conversation:
        """Create a conversation."""
        now = now_ms()
        made = Conversation(new_id(), caller, title, system, model_id, max_messages, now, now)
        row = {
            "id": made.id,
            "caller": caller,
            "title": self.rows.text(title, made.id, "title"),
            "system": self.rows.text(system, made.id, "system"),
            "model_id": model_id,
            "max_messages": max_messages,
            "created_ms": now,
            "updated_ms": now,
            "claimed_until_ms": 0,
        }
        async with self.database.write() as connection:
            await connection.execute(insert(conversations).values(row))
        return made

    async def page(self, caller: str, *, limit: int, cursor: str | None) -> Page:
        """List a caller's conversations, the latest first.

        Raises:
            InvalidRequest: 400, the cursor is invalid.
        """
        latest = (conversations.c.updated_ms, conversations.c.id)
        query = conversation_rows(conversations.c.caller == caller)
        if cursor is not None:
            query = query.where(tuple_(*latest) < tuple_(*cursors.decode(cursor)))
        query = query.order_by(*(column.desc() for column in latest)).limit(limit + 1)
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[:limit]
        more = len(rows) > limit
        next_cursor = cursors.encode(shown[-1]["updated_ms"], shown[-1]["id"]) if more else None
        return Page(readable(shown, self.rows.conversation), next_cursor)

    async def get(self, caller: str, conversation_id: str) -> Conversation:
        """Return a conversation.

        Raises:
            ServiceError: `not_found`: it does not exist, or is another caller's.
        """
        async with self.database.read() as connection:
            return self.rows.conversation(await one(connection, caller, conversation_id))

    async def read(
        self, caller: str, conversation_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Conversation, list[StoredMessage], str | None]:
        """Return a conversation, its last messages in order, and a cursor for those before them.

        Raises:
            ServiceError: `not_found`: it does not exist, or is another caller's.
        """
        before = None if cursor is None else min(cursors.decode(cursor)[0], _LAST_POSITION)
        async with self.database.read() as connection:
            row = await one(connection, caller, conversation_id)
            found = await last_rows(connection, conversation_id, limit + 1, before=before)
        shown = found[-limit:]
        earlier = cursors.encode(shown[0]["position"]) if len(found) > limit else None
        decoded = readable(shown, lambda each: self.rows.message(each, row["claim"]))
        return self.rows.conversation(row), decoded, earlier

    async def change(self, caller: str, conversation_id: str, changes: dict[str, Any]) -> Conversation:
        """Change some of `title`, `system`, `model_id` and `max_messages`."""
        values = {
            name: self.rows.text(value, conversation_id, name) if name in {"title", "system"} else value
            for name, value in changes.items()
        }
        async with self.database.write() as connection:
            await one(connection, caller, conversation_id)
            if values:
                await connection.execute(
                    update(conversations).where(conversations.c.id == conversation_id).values(values)
                )
            return self.rows.conversation(await one(connection, caller, conversation_id))

    async def delete(self, caller: str, conversation_id: str, *, since_ms: int) -> list[str]:
        """Delete a conversation with its messages, and return the streams of its replies `since_ms`."""
        async with self.database.write() as connection:
            await one(connection, caller, conversation_id)
            streams = await connection.execute(
                select(messages.c.stream_id).where(
                    messages.c.conversation_id == conversation_id,
                    messages.c.stream_id.is_not(None),
                    messages.c.created_ms >= since_ms,
                )
            )
            await connection.execute(delete(messages).where(messages.c.conversation_id == conversation_id))
            await connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
            named = list(streams.scalars())
        await self.database.truncate_log()
        return named


async def one(connection: AsyncConnection, caller: str, conversation_id: str) -> RowMapping:
    """Return the row of a caller's conversation.

    Raises:
        ServiceError: `not_found`: it does not exist, or is another caller's.
    """
    query = conversation_rows(conversations.c.id == conversation_id, conversations.c.caller == caller)
    row: RowMapping | None = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise ServiceError("not_found", "Unknown conversation.")
    return row


async def last_rows(
    connection: AsyncConnection, conversation_id: str, limit: int | None, *, before: int | None = None
) -> list[RowMapping]:
    """Return a conversation's last messages in order."""
    query = select(messages).where(messages.c.conversation_id == conversation_id)
    if before is not None:
        query = query.where(messages.c.position < before)
    query = query.order_by(messages.c.position.desc()).limit(limit)
    return list((await connection.execute(query)).mappings())[::-1]
