"""The headers that requests and responses of several routers share."""

from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Scope

from service.answer import fallback_of
from service.deltas import Start
from service.streams.log import StreamLog

EVENT_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Of every stream: no cache keeps it, no proxy collects it."""

PROTECTIVE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a prompt may stand in an address
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # pages bring their own
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # of what is asked for without CORS; CORS has the other word
}
"""Of every answer. `Strict-Transport-Security` is for whoever holds the certificate."""

NOT_KEPT = {"Cache-Control": "no-store"}
"""Of what is told in JSON: what was said or is known is nothing for a cache."""

Raw = tuple[bytes, bytes]
"""A header as ASGI has it, its name in small letters."""


def raw(headers: Mapping[str, str]) -> tuple[Raw, ...]:
    """Write headers as ASGI has them."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request by their names in small letters; of one that comes twice, the first.

    Read once for all who look at them: `Headers` goes through the whole list at each look, some 60 bytecodes a time.
    """
    named: dict[str, str] | None = scope.get("artesian.headers")
    if named is None:
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        scope["artesian.headers"] = named
    return named


def complete(message: Message, more: Iterable[Raw]) -> None:
    """Add to an answer's headers what it does not say itself. `MutableHeaders.setdefault` takes 120 bytecodes each."""
    headers = message["headers"] = list(message["headers"])
    said = dict(headers)
    headers += [header for header in more if header[0] not in said]


def stream_headers(log: StreamLog) -> dict[str, str]:
    """Name a stream, and the model that answers in it as far as that is known when the headers leave."""
    named = {"X-Stream-Id": log.stream_id}
    if log.events and isinstance(start := log.events[0], Start):
        model_id = fallback_of(log.events) or start.model_id
        if model_id.isascii() and model_id.isprintable():  # a client can ask for any name at all
            named["X-Model-Id"] = model_id
    return named


def protect(headers: MutableHeaders) -> None:
    """Add what no answer goes without."""
    for name, value in PROTECTIVE_HEADERS.items():
        headers.setdefault(name, value)


def wants_events(request: Request) -> bool:
    """Whether this is an EventSource's first try: it accepts events and does not come back for more."""
    return "text/event-stream" in request.headers.get("accept", "") and "last-event-id" not in request.headers
