"""The headers that requests and responses of several routers share."""

from starlette.requests import Request

EVENT_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Of every stream: no cache keeps it, no proxy collects it."""


def wants_events(request: Request) -> bool:
    """Whether this is an EventSource's first try: it accepts events and does not come back for more."""
    return "text/event-stream" in request.headers.get("accept", "") and "last-event-id" not in request.headers
