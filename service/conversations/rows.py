"""Between rows of the tables and our values: JSON and MessagePack in bytes, sealed if a seal is given."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.engine import RowMapping

from service.conversations.tables import conversations, messages
from service.conversations.values import Conversation, Json, StoredMessage
from service.deltas import Done, Failed
from service.encryption import Seal

_ends = msgspec.msgpack.Decoder(Done | Failed)


class Rows:
    """Writes and reads rows. Each is sealed for itself, and each column for its own place in it."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def text(self, said: str | None, conversation_id: str, column: str) -> bytes | None:
        """Write a text of a conversation: its `title` or `system`."""
        return None if said is None else self._seal.close(said.encode(), _conversation(conversation_id), column)

    def content(self, blocks: list[Json], message_id: str) -> bytes:
        """Write a message's content blocks."""
        return self._seal.close(msgspec.json.encode(blocks), _message(message_id), "content")

    def outcome(self, end: Done | Failed, message_id: str) -> bytes:
        """Write how a reply ended."""
        return self._seal.close(msgspec.msgpack.encode(end), _message(message_id), "outcome")

    def conversation(self, row: RowMapping) -> Conversation:
        """Read a conversation, selected by `conversation_rows`."""
        return Conversation(
            id=row["id"],
            caller=row["caller"],
            title=self._text(row, "title"),
            system=self._text(row, "system"),
            model_id=row["model_id"],
            max_messages=row["max_messages"],
            created_ms=row["created_ms"],
            updated_ms=row["updated_ms"],
            answering=row["answering"],
        )

    def message(self, row: RowMapping, claim: str | None) -> StoredMessage:
        """Read a message; `claim` is its conversation's."""
        outcome, scope = row["outcome"], _message(row["id"])
        return StoredMessage(
            id=row["id"],
            role=row["role"],
            content=msgspec.json.decode(self._seal.open(row["content"], scope, "content")),
            created_ms=row["created_ms"],
            answering=row["id"] == claim,
            stream_id=row["stream_id"],
            model_id=row["model_id"],
            end=None if outcome is None else _ends.decode(self._seal.open(outcome, scope, "outcome")),
        )

    def _text(self, row: RowMapping, column: str) -> str | None:
        kept: bytes | None = row[column]
        return None if kept is None else self._seal.open(kept, _conversation(row["id"]), column).decode()


def _conversation(conversation_id: str) -> str:
    return f"conversation/{conversation_id}"


def _message(message_id: str) -> str:
    return f"message/{message_id}"


def conversation_rows(*where: ColumnElement[bool]) -> Select[Any]:
    """Select conversations with the stream that answers them, if any."""
    reply: Table = messages.alias("reply")  # type: ignore[assignment]  # an alias has a table's columns
    return (
        select(conversations, reply.c.stream_id.label("answering"))
        .select_from(conversations.outerjoin(reply, reply.c.id == conversations.c.claim))
        .where(*where)
    )
