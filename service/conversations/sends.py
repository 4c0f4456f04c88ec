"""Sends of a conversation: each one claims it, stores its messages, and is settled at its end.

A send *claims* its conversation in one row, so the claim is valid across replicas. It expires unless it is renewed, so
a process that died blocks nothing. The claim's name is the id of the reply.
"""

from collections.abc import Sequence

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from service.conversations.rows import conversation_rows, readable
from service.conversations.store import ConversationStore, last_rows, one
from service.conversations.tables import conversations, messages
from service.conversations.values import Claimed, Json, SendKey, StoredMessage, Unfinished, new_id, now_ms, title_of
from service.deltas import Done, Failed
from service.errors import InvalidRequest, ServiceError

_ENOUGH = 40  # messages read for a history at first: most windows are smaller


class Sends:
    """Claims, and the replies that they lead to."""

    def __init__(self, store: ConversationStore) -> None:
        self._database = store.database
        self._rows = store.rows

    async def find_earlier(self, caller: str, key: SendKey, since_ms: int) -> str | None:
        """Find the stream of an earlier send with this key; an empty string while that send is starting.

        Raises:
            InvalidRequest: the key was used with another body.
        """
        sent = (
            select(messages.c.stream_id, messages.c.fingerprint)
            .join(conversations, conversations.c.id == messages.c.conversation_id)
            .where(conversations.c.caller == caller, messages.c.idempotency_key == key.key)
            .where(messages.c.created_ms >= since_ms)
            .order_by(messages.c.created_ms.desc())
        )
        beginning = select(conversations.c.claim_fingerprint).where(
            conversations.c.caller == caller,
            conversations.c.claim_key == key.key,
            conversations.c.claimed_until_ms >= now_ms(),
        )
        async with self._database.read() as connection:
            found = (await connection.execute(sent)).first()
            stream_id, fingerprint = found or ("", (await connection.execute(beginning)).scalar())
        if fingerprint is None:
            return None
        if fingerprint != key.fingerprint:
            raise InvalidRequest("Idempotency-Key: already used with another body; use a new one.")
        return str(stream_id)

    async def claim(
        self,
        caller: str,
        conversation_id: str,
        *,
        lease_s: float,
        key: SendKey | None = None,
        replaces: str | None = None,
    ) -> Claimed:
        """Claim a conversation for one send, and read what it needs.

        Raises:
            ServiceError: `not_found`; `conflict`: it has a running reply.
            DamagedRow: 503, the conversation or the message that is replaced.
        """
        reply_id = new_id()
        async with self._database.write() as connection:
            await connection.execute(  # locks the row (PostgreSQL; SQLite has one writer anyway)
                select(conversations.c.id).where(conversations.c.id == conversation_id).with_for_update()
            )
            row = await one(connection, caller, conversation_id)
            if row["claim"] is not None:
                raise ServiceError("conflict", "This conversation has a running reply; wait for its end, or cancel it.")
            replaced = await self._replaced(connection, conversation_id, replaces)
            cut = replaced["position"] if replaced else None
            history = await self._history(connection, conversation_id, row["max_messages"], cut)
            conversation = self._rows.conversation(row)  # before it is claimed: it may be damaged
            replaced_message = self._rows.message(replaced, None) if replaced else None
            await connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id)
                .values(
                    claim=reply_id,
                    claim_key=key.key if key else None,
                    claim_fingerprint=key.fingerprint if key else None,
                    claimed_until_ms=now_ms() + int(lease_s * 1000),
                )
            )
        return Claimed(reply_id, conversation, history, replaced_message, cut)

    async def _replaced(
        self, connection: AsyncConnection, conversation_id: str, replaces: str | None
    ) -> RowMapping | None:
        if replaces is None:
            return None
        query = select(messages).where(
            messages.c.id == replaces, messages.c.conversation_id == conversation_id, messages.c.role == "user"
        )
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise ServiceError("not_found", "replaces must be the id of a user's message in this conversation.")
        return row

    async def _history(
        self, connection: AsyncConnection, conversation_id: str, max_messages: int, cut: int | None
    ) -> list[StoredMessage]:
        """Read the last messages; all of them if tool calls make it uncertain where a window begins."""
        limit = max_messages + _ENOUGH
        rows = await last_rows(connection, conversation_id, limit, before=cut)
        history = self._readable(rows)
        if len(rows) == limit and any(block["type"] == "tool_use" for each in history for block in each.content):
            rows = await last_rows(connection, conversation_id, None, before=cut)
            history = self._readable(rows)
        return history

    def _readable(self, rows: list[RowMapping]) -> list[StoredMessage]:
        return readable(rows, lambda row: self._rows.message(row, None))

    async def store(
        self, claimed: Claimed, content: list[Json], *, stream_id: str, model_id: str, key: SendKey | None = None
    ) -> None:
        """Store the user's message and the row of its reply; delete what they replace.

        Raises:
            ServiceError: the conversation was deleted, or the claim lost.
        """
        now, conversation_id = now_ms(), claimed.conversation.id
        async with self._database.write() as connection:
            if claimed.cut is not None:
                await connection.execute(
                    delete(messages).where(
                        messages.c.conversation_id == conversation_id, messages.c.position >= claimed.cut
                    )
                )
            values = {"updated_ms": now}
            if claimed.conversation.title is None:
                values["title"] = self._rows.text(title_of(content), conversation_id, "title")  # type: ignore[assignment]
            changed = await connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id, conversations.c.claim == claimed.reply_id)
                .values(values)
            )
            if changed.rowcount == 0:
                raise ServiceError("conflict", "This conversation was deleted, or has a running reply elsewhere.")
            last = select(func.max(messages.c.position)).where(messages.c.conversation_id == conversation_id)
            position = (await connection.execute(last)).scalar() or 0
            common = {"conversation_id": conversation_id, "created_ms": now}
            asked_id = new_id()
            question = {
                "id": asked_id,
                "position": position + 1,
                "role": "user",
                "content": self._rows.content(content, asked_id),
            }
            reply = {
                "id": claimed.reply_id,
                "position": position + 2,
                "role": "assistant",
                "content": self._rows.content([], claimed.reply_id),
                "stream_id": stream_id,
                "model_id": model_id.replace("\0", ""),  # PostgreSQL does not accept NUL
                "idempotency_key": key.key if key else None,
                "fingerprint": key.fingerprint if key else None,
            }
            await connection.execute(insert(messages).values(question | common))
            await connection.execute(insert(messages).values(reply | common))

    async def release(self, reply_id: str) -> None:
        """Delete a claim whose send failed before it stored anything."""
        async with self._database.write() as connection:
            await _unclaim(connection, reply_id)

    async def renew(self, contents: dict[str, list[Json] | None], lease_s: float) -> None:
        """Renew claims, and store the content of replies so far where it is given."""
        until = now_ms() + int(lease_s * 1000)
        async with self._database.write() as connection:
            await connection.execute(
                update(conversations).where(conversations.c.claim.in_(contents)).values(claimed_until_ms=until)
            )
            for reply_id, content in contents.items():
                if content is not None:
                    await connection.execute(
                        update(messages)
                        .where(messages.c.id == reply_id, messages.c.outcome.is_(None))
                        .values(content=self._rows.content(content, reply_id))
                    )

    async def finish(
        self, reply_id: str, end: Done | Failed, content: list[Json] | None, model_id: str | None = None
    ) -> None:
        """Store the end of a reply; without `content` the stored content remains. A failure replaces no stored end."""
        values: dict[str, object] = {"outcome": self._rows.outcome(end, reply_id)}
        if content is not None:
            values["content"] = self._rows.content(content, reply_id)
        if model_id:
            values["model_id"] = model_id
        replaced = messages.c.id == reply_id
        if isinstance(end, Failed):
            replaced = and_(replaced, messages.c.outcome.is_(None))
        async with self._database.write() as connection:
            await connection.execute(update(messages).where(replaced).values(values))
            await connection.execute(
                update(conversations).where(conversations.c.claim == reply_id).values(updated_ms=now_ms())
            )
            await _unclaim(connection, reply_id)

    async def stored_content(self, reply_id: str) -> list[Json]:
        """Return the stored content of a reply."""
        query = select(messages).where(messages.c.id == reply_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        found = self._readable([row]) if row else []
        return found[0].content if found else []

    async def reply_of(self, stream_id: str) -> str | None:
        """Return the id of the reply that a stream became, if any."""
        query = select(messages.c.id).where(messages.c.stream_id == stream_id)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar()

    async def unfinished(self) -> Sequence[Unfinished]:
        """Return all claims, of any process."""
        query = conversation_rows(conversations.c.claim.is_not(None))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Unfinished(row["claim"], row["id"], row["answering"], row["claimed_until_ms"]) for row in rows]

    async def unfinished_in(self, conversation_id: str) -> Unfinished | None:
        """Return the claim of one conversation."""
        query = conversation_rows(conversations.c.id == conversation_id, conversations.c.claim.is_not(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return Unfinished(row["claim"], row["id"], row["answering"], row["claimed_until_ms"]) if row else None

    async def take_over(self, reply_id: str, lease_s: float) -> bool:
        """Take an expired claim. False: it was renewed, settled, or taken by another process."""
        now = now_ms()
        async with self._database.write() as connection:
            taken = await connection.execute(
                update(conversations)
                .where(conversations.c.claim == reply_id, conversations.c.claimed_until_ms < now)
                .values(claimed_until_ms=now + int(lease_s * 1000))
            )
            return taken.rowcount == 1


async def _unclaim(connection: AsyncConnection, reply_id: str) -> None:
    await connection.execute(
        update(conversations)
        .where(conversations.c.claim == reply_id)
        .values(claim=None, claim_key=None, claim_fingerprint=None, claimed_until_ms=0)
    )
