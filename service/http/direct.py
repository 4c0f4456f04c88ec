"""Calls the handlers of `/api/generate` without FastAPI's dependencies.

FastAPI solves a handler's dependencies for each request, with exit stacks, copies and a look at every type: five
dependencies and a body took 7,700 of a request's 45,800 bytecodes (counted with `sys.settrace`, fastapi 0.165,
2026-11-24). FastAPI still describes the handler, and handles a request without a body or with a wrong header.
"""

from typing import TYPE_CHECKING, cast, get_args

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter

from service.dialects.native.request import Generate
from service.generation import OnDisconnect
from service.http.body import read_as
from service.http.dependencies import Handler, caller_of
from service.http.headers import headers_of
from service.http.resume import StreamRoute

if TYPE_CHECKING:
    from service.engine.engine import Engine

_LEAVING = frozenset({None, *get_args(OnDisconnect)})
GENERATE = TypeAdapter(Generate)


class DirectRoute(StreamRoute):
    """A route whose handler takes `(request, body, engine, caller, key, on_disconnect)`, where it is asked by POST."""

    def get_route_handler(self) -> Handler:
        """Give the handler what it takes, where all of it is there and right."""
        endpoint, otherwise = self.endpoint, super().get_route_handler()
        if self.methods != {"POST"}:
            return otherwise

        async def handle(request: Request) -> Response:
            headers = headers_of(request.scope)
            leaves = headers.get("x-on-disconnect")
            if "last-event-id" in headers or leaves not in _LEAVING:
                return await otherwise(request)
            if (body := await read_as(request, GENERATE)) is None:
                raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": ""}])
            engine = cast("Engine", request.state.engine)
            answer = endpoint(request, body, engine, caller_of(request), headers.get("idempotency-key"), leaves)
            del body  # which would otherwise be held until the whole answer has come
            return cast("Response", await answer)

        return handle
