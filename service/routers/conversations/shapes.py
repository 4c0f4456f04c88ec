"""How conversations look from outside, for the answers and for OpenAPI."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.conversations.values import Conversation, StoredMessage
from service.deltas import Done, Failed
from service.dialects.native import events
from service.dialects.native.schema import AnswerShape, ErrorShape, MetricsShape, UsageShape

Json = dict[str, Any]


class _ConversationShape(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_mode_override="serialization")


class ConversationShape(_ConversationShape):
    """A conversation without its messages."""

    id: str
    title: str | None
    system: str | None
    model_id: str | None
    max_messages: int
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})
    answering: str | None = Field(description="The stream of the reply that is being given, to be read and cancelled")


class ConversationsShape(_ConversationShape):
    """A page of conversations, the latest first."""

    conversations: list[ConversationShape]
    next_cursor: str | None


class MessageShape(_ConversationShape):
    """A message. A reply also says how it came about."""

    id: str
    role: Literal["user", "assistant"]
    content: list[Json] = Field(description="Blocks")
    text: str = Field(description="The text of the blocks alone")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    status: Literal["complete", "answering", "cancelled", "failed"]
    partial: bool = Field(description="It was cancelled or broke off, and some of it is here")
    stream_id: str | None = None
    model_id: str | None = None
    stop_reason: str | None = None
    raw_stop_reason: str | None = None
    usage: UsageShape | None = None
    metrics: MetricsShape | None = None
    error: ErrorShape | None = None


class WholeShape(ConversationShape):
    """A conversation with its messages, the last of them in their order."""

    messages: list[MessageShape]
    next_cursor: str | None = Field(description="For the messages before these")


class ReplyShape(AnswerShape):
    """The answer of `stream: false`, and where it is kept."""

    conversation_id: str
    message_id: str


def conversation(kept: Conversation) -> Json:
    """Show a conversation."""
    return {
        "id": kept.id,
        "title": kept.title,
        "system": kept.system,
        "model_id": kept.model_id,
        "max_messages": kept.max_messages,
        "created_at": _time(kept.created_ms),
        "updated_at": _time(kept.updated_ms),
        "answering": kept.answering,
    }


def message(kept: StoredMessage) -> Json:
    """Show a message."""
    shown: Json = {
        "id": kept.id,
        "role": kept.role,
        "content": kept.content,
        "text": "".join(block["text"] for block in kept.content if block["type"] == "text"),
        "created_at": _time(kept.created_ms),
        "status": kept.status,
        "partial": kept.partial,
    }
    return shown if kept.role == "user" else shown | _reply(kept)


def _reply(kept: StoredMessage) -> Json:
    end = kept.end
    done = end if isinstance(end, Done) else None
    return {
        "stream_id": kept.stream_id,
        "model_id": kept.model_id,
        "stop_reason": done and done.stop_reason,
        "raw_stop_reason": done and done.raw_stop_reason,
        "usage": done and events.usage(done.usage),
        "metrics": done and events.metrics(done.metrics),
        "error": events.failure(end, kept.stream_id or "") if isinstance(end, Failed) else None,
    }


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
