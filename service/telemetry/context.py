"""What is known of the request under way, wherever its work is done: its id, what it began, the trace it belongs to.

A generation's task inherits it from the request that asked for it, so nobody has to hand it on.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from structlog.contextvars import bind_contextvars


class RequestContext:
    """One HTTP request. `began`: it has begun a generation, which is counted when that ends."""

    __slots__ = ("began", "headers")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.began = False
        self.headers = headers
        """`traceparent` and `tracestate`, as the caller sent them; empty where nobody traces."""


_asked: ContextVar[RequestContext | None] = ContextVar("asked", default=None)


def bind_request(headers: Mapping[str, str]) -> RequestContext:
    """Remember the request that this task and those it starts work for."""
    current_request = RequestContext(headers)
    _asked.set(current_request)
    return current_request


def current_request() -> RequestContext | None:
    """The request that is worked for."""
    return _asked.get()


def bind_request_id(request_id: str) -> None:
    """Let every log line of this request, and of what it begins, carry its id."""
    bind_contextvars(request_id=request_id)
