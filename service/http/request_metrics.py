"""The watch around everything else: each request is counted when it is over, by its route and its status.

Pure ASGI, and no part of what is sent passes through it: the guard notes the status, `problems` the code of a refusal.
"""

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.caller import ANONYMOUS, Caller
from service.dialects.table import generating_dialect
from service.http.stream_response import REST, exhaust
from service.telemetry.context import RequestContext, bind_request

if TYPE_CHECKING:
    from service.telemetry.listener import Telemetry

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_NO_KEY = "none"
_TRACE_HEADERS = ("traceparent", "tracestate")


class RequestMetrics:
    """ASGI middleware: remembers whose request a generation is, and counts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        telemetry: Telemetry = scope["state"]["telemetry"]
        asked = bind_request(_trace(scope) if telemetry.traces else {})
        scope[REST] = None
        try:
            await self._app(scope, receive, send)
            if sending := scope.pop(REST):
                _let_go(scope)
                await exhaust(sending)
        finally:
            _count(telemetry, scope, asked)


def _let_go(scope: Scope) -> None:
    """Drop the framework's three exit stacks, which have closed: each keeps room for 64 callbacks."""
    for name in [name for name in scope if name.endswith("_astack")]:
        del scope[name]


def _trace(scope: Scope) -> dict[str, str]:
    headers = Headers(scope=scope)
    return {name: headers[name] for name in _TRACE_HEADERS if name in headers}


def _count(telemetry: "Telemetry", scope: Scope, asked: RequestContext) -> None:
    if (status := scope.get("artesian.status")) is None:
        return  # the client left before there was an answer
    method = scope["method"] if scope["method"] in _METHODS else _OTHER
    telemetry.answered(_route(scope), method, status)
    code = scope.get("artesian.refused")
    if code and not asked.began and (dialect := generating_dialect(scope["method"], scope["path"])):
        caller: Caller = scope.get("artesian.caller", ANONYMOUS)
        telemetry.refused(dialect.name, caller.id or _NO_KEY, code)


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", None) or _OTHER
