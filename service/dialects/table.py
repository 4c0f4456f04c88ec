"""The dialects: a row for each wire format that clients may speak, and which row a request or a stream selects."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from service.deltas import Event
from service.dialects import anthropic_messages, openai_chat, openai_responses
from service.dialects.anthropic_messages.headers import rate_limit_headers as anthropic_rate_limits
from service.dialects.dialect import Encoder, Heading
from service.dialects.native.events import NativeEvents
from service.dialects.openai_chat.headers import rate_limit_headers as openai_rate_limits

Json = dict[str, Any]
Name = Literal["native", "chat", "responses", "messages"]
"""The value of `?format=`, of a stream's record and of the metrics' label `surface`."""

ErrorResponse = tuple[int, Json, dict[str, str]]
"""Status, body and headers of an HTTP error."""

T = TypeVar("T")


class RecordView(Protocol):
    """What a dialect reads of a stream's record."""

    @property
    def request(self) -> Any:
        """What was asked; its `model_id` is the name that the client used."""

    @property
    def created(self) -> float:
        """Unix seconds."""

    @property
    def dialect(self) -> str:
        """The dialect of the request that started the stream."""

    @property
    def options(self) -> Json:
        """What that dialect's encoder must know of the request."""


class StreamView(Protocol):
    """A stream's log, as far as an encoding needs it."""

    @property
    def stream_id(self) -> str:
        """32 hexadecimal digits."""

    @property
    def record(self) -> RecordView:
        """What was asked."""

    @property
    def events(self) -> Sequence[Event]:
        """All events so far."""


class Dialect(NamedTuple):
    """One dialect. To add one: a package beside this module, a row in `DIALECTS`, and its routes."""

    name: Name
    paths: re.Pattern[str]
    """The paths of this dialect: errors there are told in its form."""
    generates: re.Pattern[str]
    """The paths on which a POST starts a generation."""
    encoder: Callable[[StreamView], Encoder]
    """Makes the encoder of one reader."""
    whole: Callable[[StreamView], Json] | None
    """Encodes a stream as one answer. None: the route does it (the native answer needs its end)."""
    error: Callable[..., ErrorResponse] | None
    """Encodes an error. None: `application/problem+json`."""
    rate_limit_headers: Callable[[str, int, int, int], dict[str, str]] | None
    """From a limit's name, size, rest and seconds until its reset. None: the IETF's headers alone."""
    request_id_header: str = "x-request-id"


def heading(stream: StreamView) -> Heading:
    """What an encoder may know of a stream beside its events."""
    return Heading(stream.stream_id, stream.record.request.model_id, stream.record.created)


def options(stream: StreamView, name: Name, shape: type[T]) -> T:
    """The encoder's options: those of the request where it was in this dialect, else the defaults."""
    return msgspec.convert(stream.record.options if stream.record.dialect == name else {}, shape)


def native_encoder(stream: StreamView) -> NativeEvents:
    """Make a native encoder, whatever dialect the stream was started in."""
    return NativeEvents(heading(stream))


def encoder(stream: StreamView, name: Name) -> Encoder:
    """Make the encoder of one reader."""
    return DIALECTS[name].encoder(stream)


def whole(stream: StreamView, name: Name) -> Json:
    """Encode a stream as one answer in a dialect other than the native one."""
    encode = DIALECTS[name].whole
    if encode is None:
        raise NotImplementedError(name)
    return encode(stream)


def dialect_of(path: str, headers: Mapping[str, str]) -> Dialect:
    """Select the dialect in which a request's errors and headers are told.

    OpenAI's and Anthropic's clients share `/v1/models`; the header `anthropic-version` tells them apart.
    """
    if not path.startswith("/v1/"):
        return DIALECTS["native"]
    if "anthropic-version" in headers:
        return DIALECTS["messages"]
    return next((row for row in DIALECTS.values() if row.paths.fullmatch(path)), DIALECTS["chat"])


def generating_dialect(method: str, path: str) -> Dialect | None:
    """Select the dialect of a request that starts a generation; None: it does something else."""
    if method == "GET":  # EventSource cannot POST
        return DIALECTS["native"] if path == "/api/generate" else None
    if method != "POST":
        return None
    return next((row for row in DIALECTS.values() if row.generates.fullmatch(path)), None)


def _chat_options(stream: StreamView) -> openai_chat.ChatOptions:
    return options(stream, "chat", openai_chat.ChatOptions)


def _responses_options(stream: StreamView) -> openai_responses.ResponsesOptions:
    return options(stream, "responses", openai_responses.ResponsesOptions)


_ROWS = (
    Dialect(
        name="native",
        paths=re.compile(r"/api/.*"),
        generates=re.compile(r"/api/generate(/stream)?|/api/conversations/[^/]+/messages"),
        encoder=native_encoder,
        whole=None,
        error=None,
        rate_limit_headers=None,
    ),
    Dialect(
        name="chat",
        paths=re.compile(r"/v1/chat/completions"),
        generates=re.compile(r"/v1/chat/completions"),
        encoder=lambda stream: openai_chat.ChatEvents(heading(stream), _chat_options(stream)),
        whole=lambda stream: openai_chat.whole(heading(stream), None, stream.events),
        error=openai_chat.error,
        rate_limit_headers=openai_rate_limits,
    ),
    Dialect(
        name="responses",
        paths=re.compile(r"/v1/responses(/.*)?"),
        generates=re.compile(r"/v1/responses"),
        encoder=lambda stream: openai_responses.ResponsesEvents(heading(stream), _responses_options(stream)),
        whole=lambda stream: openai_responses.whole(heading(stream), _responses_options(stream), stream.events),
        error=openai_responses.error,
        rate_limit_headers=openai_rate_limits,
    ),
    Dialect(
        name="messages",
        paths=re.compile(r"/v1/messages(/.*)?"),
        generates=re.compile(r"/v1/messages"),
        encoder=lambda stream: anthropic_messages.MessagesEvents(heading(stream)),
        whole=lambda stream: anthropic_messages.whole(heading(stream), None, stream.events),
        error=anthropic_messages.error,
        rate_limit_headers=anthropic_rate_limits,
        request_id_header="request-id",
    ),
)

DIALECTS: dict[Name, Dialect] = {row.name: row for row in _ROWS}
