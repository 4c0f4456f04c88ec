"""Converts between rows and values: JSON and MessagePack in bytes, encrypted if a seal is given."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.engine import RowMapping

from service.conversations.faults import DamagedRow, name_damaged
from service.conversations.tables import conversations, messages
from service.conversations.values import Conversation, Json, StoredMessage
from service.deltas import Done, Failed
from service.encryption import Changed, Seal

T = TypeVar("T")

_ends = msgspec.msgpack.Decoder(Done | Failed)
_blocks = msgspec.json.Decoder(list[Json])

_NEEDED = {"text": ("text",), "tool_use": ("id",), "tool_result": ("tool_use_id",)}
"""Members that our code reads of a block, by its type: strings."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, TypeError, AttributeError, ValueError, zlib.error, Changed)
"""Errors of reading a damaged column; SQLite may return any type for any column."""


@contextmanager
def damage_named(table: str, row_id: str) -> Iterator[None]:
    """Convert errors of reading a damaged row.

    Raises:
        DamagedRow: with the row's table and id, which are also logged.
    """
    try:
        yield
    except _UNREADABLE as error:
        damaged = DamagedRow(table, row_id)
        damaged.__cause__ = error
        name_damaged(damaged)
        raise damaged from error


def readable(rows: Iterable[RowMapping], read: Callable[[RowMapping], T]) -> list[T]:
    """Read rows, without damaged ones."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except DamagedRow:
            continue  # it has been logged
    return found


class Rows:
    """Writes and reads rows. Each column is sealed for its row and its name."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def text(self, text: str | None, conversation_id: str, column: str) -> bytes | None:
        """Encode a text of a conversation: its `title` or `system`."""
        return None if text is None else self._seal.close(text.encode(), _conversation(conversation_id), column)

    def content(self, blocks: list[Json], message_id: str) -> bytes:
        """Encode a message's content blocks."""
        return self._seal.close(msgspec.json.encode(blocks), _message(message_id), "content")

    def outcome(self, end: Done | Failed, message_id: str) -> bytes:
        """Encode the end of a reply."""
        return self._seal.close(msgspec.msgpack.encode(end), _message(message_id), "outcome")

    def conversation(self, row: RowMapping) -> Conversation:
        """Decode a conversation, selected by `conversation_rows`.

        Raises:
            DamagedRow: 503.
        """
        with damage_named("conversations", row["id"]):
            title, system = self._text(row, "title"), self._text(row, "system")
        return Conversation(
            id=row["id"],
            caller=row["caller"],
            title=title,
            system=system,
            model_id=row["model_id"],
            max_messages=row["max_messages"],
            created_ms=row["created_ms"],
            updated_ms=row["updated_ms"],
            answering=row["answering"],
        )

    def message(self, row: RowMapping, claim: str | None) -> StoredMessage:
        """Decode a message; `claim` is its conversation's.

        Raises:
            DamagedRow: 503.
        """
        outcome, scope = row["outcome"], _message(row["id"])
        with damage_named("messages", row["id"]):
            content = _checked(_blocks.decode(self._seal.open(row["content"], scope, "content")))
            end = None if outcome is None else _ends.decode(self._seal.open(outcome, scope, "outcome"))
        return StoredMessage(
            id=row["id"],
            role=row["role"],
            content=content,
            created_ms=row["created_ms"],
            answering=row["id"] == claim,
            stream_id=row["stream_id"],
            model_id=row["model_id"],
            end=end,
        )

    def _text(self, row: RowMapping, column: str) -> str | None:
        stored: bytes | None = row[column]
        return None if stored is None else self._seal.open(stored, _conversation(row["id"]), column).decode()


def _checked(blocks: list[Json]) -> list[Json]:
    """Check that blocks have the members that our code reads.

    Raises:
        ValueError: a member is missing.
    """
    for block in blocks:
        kind = block.get("type")
        if not isinstance(kind, str) or not all(isinstance(block.get(name), str) for name in _NEEDED.get(kind, ())):
            raise ValueError("a block lacks a member")
    return blocks


def _conversation(conversation_id: str) -> str:
    return f"conversation/{conversation_id}"


def _message(message_id: str) -> str:
    return f"message/{message_id}"


def conversation_rows(*where: ColumnElement[bool]) -> Select[Any]:
    """Select conversations with the stream of their running reply, if any."""
    reply: Table = messages.alias("reply")  # type: ignore[assignment]  # an alias has a table's columns
    return (
        select(conversations, reply.c.stream_id.label("answering"))
        .select_from(conversations.outerjoin(reply, reply.c.id == conversations.c.claim))
        .where(*where)
    )
