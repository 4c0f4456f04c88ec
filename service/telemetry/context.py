"""The HTTP request that the current task works for: its id, its trace, whether it started a generation.

A generation's task inherits it from the request that started it.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from structlog.contextvars import bind_contextvars


class RequestContext:
    """One HTTP request. `began`: it has started a generation, which is counted when that ends."""

    __slots__ = ("began", "headers")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.began = False
        self.headers = headers
        """`traceparent` and `tracestate`, as the client sent them; empty without tracing."""


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def bind_request(headers: Mapping[str, str]) -> RequestContext:
    """Bind a request to this task and to the tasks that it starts."""
    current_request = RequestContext(headers)
    _current.set(current_request)
    return current_request


def current_request() -> RequestContext | None:
    """Return the request that this task works for."""
    return _current.get()


def bind_request_id(request_id: str) -> None:
    """Add a request id to every log line of this task and of those that it starts."""
    bind_contextvars(request_id=request_id)
