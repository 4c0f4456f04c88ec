"""Models, conversations and stream states, as dataclasses; `raw` is the JSON as received."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

from .answer import Answer
from .events import Usage, pick

Json = dict[str, Any]


class Generated(TypedDict):
    """What `generate_text` returns: `latency` is in seconds."""

    text: str
    model_id: str
    latency: float | None
    raw_response: Json


@dataclass(frozen=True, slots=True)
class Model:
    """One model. A capability that is unknown is None."""

    id: str
    name: str
    provider: str
    capabilities: dict[str, bool | None]
    aliases: list[str]


@dataclass(frozen=True, slots=True)
class Models:
    """The available models, and the default one; None: this key may not use it."""

    models: list[Model]
    default: str | None
    raw: Json = field(repr=False)

    def __iter__(self) -> Iterator[Model]:
        """Iterate over the models."""
        return iter(self.models)

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self.models)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream's current state. `last_event` is the number of its last event, `error` the error that ended it."""

    stream_id: str
    state: str
    text: str
    content: list[Json]
    usage: Usage | None
    last_event: int
    resumable: bool
    stop_reason: str | None
    error: Json | None
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation. `status` is `complete`, `answering`, `cancelled` or `failed`.

    `partial`: it was cancelled or truncated, and `content` is what was received.
    """

    id: str
    role: str
    content: list[Json]
    text: str
    created_at: str
    status: str
    partial: bool
    stream_id: str | None
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation. `messages` has its last ones if it was read by `get`, and is empty in lists.

    `answering` is the stream of the running reply; `next_cursor` leads to earlier messages.
    """

    id: str
    title: str | None
    system: str | None
    model_id: str | None
    max_messages: int
    created_at: str
    updated_at: str
    answering: str | None
    messages: list[Message]
    next_cursor: str | None
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Some conversations, the latest first; `next_cursor` is None on the last page."""

    conversations: list[Conversation]
    next_cursor: str | None

    def __iter__(self) -> Iterator[Conversation]:
        """Iterate over this page."""
        return iter(self.conversations)


def read_models(members: Json) -> Models:
    """Parse the list of models."""
    models = [pick(Model, {"capabilities": {}, "aliases": [], **each}) for each in members["models"]]
    return Models(models, members["default"], members)


def read_snapshot(members: Json) -> Snapshot:
    """Parse a stream's state."""
    usage = pick(Usage, members["usage"]) if members.get("usage") else None
    return pick(Snapshot, {"stop_reason": None, **members, "usage": usage, "raw": members})


def read_conversation(members: Json) -> Conversation:
    """Parse a conversation, with its messages if it has them."""
    messages = [pick(Message, {"stream_id": None, **each, "raw": each}) for each in members.get("messages", ())]
    return pick(Conversation, {"next_cursor": None, **members, "messages": messages, "raw": members})


def read_page(members: Json) -> ConversationPage:
    """Parse a page of conversations."""
    return ConversationPage([read_conversation(each) for each in members["conversations"]], members.get("next_cursor"))


def generated(answer: Answer) -> Generated:
    """Return an answer in the form of the tutorial's client class."""
    return {"text": answer.text, "model_id": answer.model_id, "latency": answer.latency, "raw_response": answer.raw}
