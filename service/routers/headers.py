"""The headers that requests and responses of several routers share."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

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


def protect(headers: MutableHeaders) -> None:
    """Add what no answer goes without. What was said or is known in JSON is nothing for a cache."""
    for name, value in PROTECTIVE_HEADERS.items():
        headers.setdefault(name, value)
    if "json" in headers.get("content-type", ""):
        headers.setdefault("Cache-Control", "no-store")


def wants_events(request: Request) -> bool:
    """Whether this is an EventSource's first try: it accepts events and does not come back for more."""
    return "text/event-stream" in request.headers.get("accept", "") and "last-event-id" not in request.headers
