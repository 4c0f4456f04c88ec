"""Between rows of the tables and our values: JSON and MessagePack in bytes, sealed if a seal is given."""

from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.engine import RowMapping

from service.conversations.tables import conversations, messages
from service.conversations.values import Conversation, Json, Message
from service.deltas import Done, Failed

_ends = msgspec.msgpack.Decoder(Done | Failed)


class Seal(Protocol):
    """Encrypts what is kept, and decrypts it again."""

    def close(self, plain: bytes) -> bytes:
        """Encrypt."""

    def open(self, sealed: bytes) -> bytes:
        """Decrypt."""


class NoSeal:
    """Keeps what is said as it is."""

    def close(self, plain: bytes) -> bytes:
        """Leave it."""
        return plain

    def open(self, sealed: bytes) -> bytes:
        """Leave it."""
        return sealed


class Rows:
    """Writes and reads rows."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def text(self, said: str | None) -> bytes | None:
        """Write a text."""
        return None if said is None else self._seal.close(said.encode())

    def content(self, blocks: list[Json]) -> bytes:
        """Write content blocks."""
        return self._seal.close(msgspec.json.encode(blocks))

    def outcome(self, end: Done | Failed) -> bytes:
        """Write how a reply ended."""
        return self._seal.close(msgspec.msgpack.encode(end))

    def conversation(self, row: RowMapping) -> Conversation:
        """Read a conversation, selected by `conversation_rows`."""
        return Conversation(
            id=row["id"],
            caller=row["caller"],
            title=self._text(row["title"]),
            system=self._text(row["system"]),
            model_id=row["model_id"],
            max_messages=row["max_messages"],
            created_ms=row["created_ms"],
            updated_ms=row["updated_ms"],
            answering=row["answering"],
        )

    def message(self, row: RowMapping, claim: str | None) -> Message:
        """Read a message; `claim` is its conversation's."""
        outcome = row["outcome"]
        return Message(
            id=row["id"],
            role=row["role"],
            content=msgspec.json.decode(self._seal.open(row["content"])),
            created_ms=row["created_ms"],
            answering=row["id"] == claim,
            stream_id=row["stream_id"],
            model_id=row["model_id"],
            end=None if outcome is None else _ends.decode(self._seal.open(outcome)),
        )

    def _text(self, kept: bytes | None) -> str | None:
        return None if kept is None else self._seal.open(kept).decode()


def conversation_rows(*where: ColumnElement[bool]) -> Select[Any]:
    """Select conversations with the stream that answers them, if any."""
    reply: Table = messages.alias("reply")  # type: ignore[assignment]  # an alias has a table's columns
    return (
        select(conversations, reply.c.stream_id.label("answering"))
        .select_from(conversations.outerjoin(reply, reply.c.id == conversations.c.claim))
        .where(*where)
    )
