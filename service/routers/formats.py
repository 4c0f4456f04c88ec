"""The formats a stream can be read in, whichever it was begun in."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from service.deltas import Event
from service.dialects import anthropic_messages, openai_chat, openai_responses
from service.dialects.dialect import Encoder, Heading
from service.dialects.native.events import NativeEvents
from service.streams.log import StreamLog

Format = Literal["native", "chat", "responses", "messages"]
"""Of a reader; a stream's record names the one it was begun in as its dialect."""

T = TypeVar("T")


def heading(log: StreamLog) -> Heading:
    """What an encoder may know of a stream."""
    return Heading(log.stream_id, log.record.request.model_id, log.record.created)


def native_encoder(log: StreamLog) -> NativeEvents:
    """Encode a stream natively, whatever it was begun in."""
    return NativeEvents(heading(log))


def encoder(log: StreamLog, form: Format) -> Encoder:
    """Encode a stream for one reader."""
    match form:
        case "native":
            return native_encoder(log)
        case "chat":
            return openai_chat.Events(heading(log), options(log, "chat", openai_chat.Options))
        case "responses":
            return openai_responses.Events(heading(log), options(log, "responses", openai_responses.Options))
        case "messages":
            return anthropic_messages.Events(heading(log))


def whole(log: StreamLog, form: Format) -> dict[str, Any]:
    """Tell a stream as the one answer it comes to."""
    return _WHOLE[form](log, log.events)


_WHOLE: dict[Format, Callable[[StreamLog, Sequence[Event]], dict[str, Any]]] = {
    "chat": lambda log, events: openai_chat.whole(heading(log), None, events),
    "responses": lambda log, events: openai_responses.whole(
        heading(log), options(log, "responses", openai_responses.Options), events
    ),
    "messages": lambda log, events: anthropic_messages.whole(heading(log), None, events),
}


def options(log: StreamLog, form: Format, shape: type[T]) -> T:
    """What the encoder must know of the request: as it was asked for, where the stream was begun in this format."""
    return msgspec.convert(log.record.options if log.record.dialect == form else {}, shape)
