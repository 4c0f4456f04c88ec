"""What the service tells of models, conversations and streams, as typed values; `raw` is it as it came."""

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
    """One model. A capability that nobody has told of is None."""

    id: str
    name: str
    provider: str
    capabilities: dict[str, bool | None]
    aliases: list[str]


@dataclass(frozen=True, slots=True)
class Models:
    """The models on offer, and the one that is taken where a request names none; None: not with this key."""

    models: list[Model]
    default: str | None
    raw: Json = field(repr=False)

    def __iter__(self) -> Iterator[Model]:
        """Go through the models."""
        return iter(self.models)

    def __len__(self) -> int:
        """Count the models."""
        return len(self.models)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream as it stands. `last_event` is the number of its last event; `error` its failure as it was told."""

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

    `partial`: it was cancelled or broke off, and some of it is here.
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
    """A conversation. `messages` are its last ones where it was asked for by `get`, and empty in lists.

    `answering` is the stream of the reply that is being given; `next_cursor` leads to the messages before these.
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
        """Go through this page."""
        return iter(self.conversations)


def read_models(told: Json) -> Models:
    """Read the list of models."""
    models = [pick(Model, {"capabilities": {}, "aliases": [], **each}) for each in told["models"]]
    return Models(models, told["default"], told)


def read_snapshot(told: Json) -> Snapshot:
    """Read a stream's state."""
    usage = pick(Usage, told["usage"]) if told.get("usage") else None
    return pick(Snapshot, {"stop_reason": None, **told, "usage": usage, "raw": told})


def read_conversation(told: Json) -> Conversation:
    """Read a conversation, with its messages where they are told."""
    messages = [pick(Message, {"stream_id": None, **each, "raw": each}) for each in told.get("messages", ())]
    return pick(Conversation, {"next_cursor": None, **told, "messages": messages, "raw": told})


def read_page(told: Json) -> ConversationPage:
    """Read a page of conversations."""
    return ConversationPage([read_conversation(each) for each in told["conversations"]], told.get("next_cursor"))


def generated(answer: Answer) -> Generated:
    """Tell an answer as the tutorial's client class does."""
    return {"text": answer.text, "model_id": answer.model_id, "latency": answer.latency, "raw_response": answer.raw}
