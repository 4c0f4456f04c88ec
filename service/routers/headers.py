"""The headers that requests and responses of several routers share."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

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


def stream_headers(log: StreamLog) -> dict[str, str]:
    """Name a stream, and the model that answers in it as far as that is known when the headers leave."""
    named = {"X-Stream-Id": log.stream_id}
    if log.events and isinstance(start := log.events[0], Start):
        model_id = fallback_of(log.events) or start.model_id
        if model_id.isascii() and model_id.isprintable():  # a client can ask for any name at all
            named["X-Model-Id"] = model_id
    return named


def protect(headers: MutableHeaders) -> None:
    """Add what no answer goes without. What was said or is known in JSON is nothing for a cache."""
    for name, value in PROTECTIVE_HEADERS.items():
        headers.setdefault(name, value)
    if "json" in headers.get("content-type", ""):
        headers.setdefault("Cache-Control", "no-store")


def wants_events(request: Request) -> bool:
    """Whether this is an EventSource's first try: it accepts events and does not come back for more."""
    return "text/event-stream" in request.headers.get("accept", "") and "last-event-id" not in request.headers
