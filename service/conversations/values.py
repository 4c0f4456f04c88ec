"""A conversation and its messages, as plain values."""

import secrets
from time import time
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from service.deltas import Done, Failed, StopReason

Json = dict[str, Any]
Role = Literal["user", "assistant"]
Status = Literal["complete", "answering", "cancelled", "failed"]

TITLE_LENGTH = 60


class Conversation(Struct, frozen=True):
    """A conversation without its messages. Times are Unix milliseconds; `answering` is the running reply's stream."""

    id: str
    caller: str
    title: str | None
    system: str | None
    model_id: str | None
    max_messages: int
    created_ms: int
    updated_ms: int
    answering: str | None = None


class StoredMessage(Struct, frozen=True):
    """One message: `content` has native blocks. A reply has its `stream_id`, and after its end its `end`."""

    id: str
    role: Role
    content: list[Json]
    created_ms: int
    answering: bool = False
    stream_id: str | None = None
    model_id: str | None = None
    end: Done | Failed | None = None

    @property
    def status(self) -> Status:
        """The progress of a message. A user's message is always complete."""
        if self.answering:
            return "answering"
        match self.end:
            case Failed():
                return "failed"
            case Done(stop_reason=StopReason.CANCELLED):
                return "cancelled"
        return "complete"

    @property
    def partial(self) -> bool:
        """Whether a reply has some content and will never be complete."""
        return self.status in {"cancelled", "failed"} and bool(self.content)


class Page(Struct, frozen=True):
    """Some conversations, the latest first, and the cursor of the next page."""

    conversations: list[Conversation]
    next_cursor: str | None


class SendKey(NamedTuple):
    """An `Idempotency-Key` of a send; `fingerprint` identifies the body."""

    key: str
    fingerprint: str


class Claimed(NamedTuple):
    """A conversation claimed for a send. `replaced` is the message that is sent again."""

    reply_id: str
    conversation: Conversation
    history: list[StoredMessage]
    replaced: StoredMessage | None
    cut: int | None
    """The position from which on messages are deleted when the send is stored."""


class Unfinished(NamedTuple):
    """A reply that is not settled."""

    reply_id: str
    conversation_id: str
    stream_id: str | None
    claimed_until_ms: int


def new_id() -> str:
    """Make an id that cannot be guessed: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return int(time() * 1000)


def title_of(content: list[Json]) -> str:
    """Make a title from a first message: its first words, or the kind of its content."""
    words = " ".join(" ".join(block["text"] for block in content if block["type"] == "text").split())
    if not words:
        return {"image": "Image", "document": "Document"}.get(content[0]["type"], "Conversation")
    if len(words) <= TITLE_LENGTH:
        return words
    cut = words[:TITLE_LENGTH].rsplit(" ", 1)[0]
    return f"{cut}…"
