"""The gate, behind the door: what asks for a generation is refused before its body is read, where that is certain.

Under overload most requests are refused, and reading, checking and resolving them first would cost what the admitted
ones need. What may attach to a generation that is there (`Idempotency-Key`, `Last-Event-ID`) is let through. Pure
ASGI, like the guard; every answer that passes says how its key stands with its limits.
"""

from typing import TYPE_CHECKING, cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.caller import ANONYMOUS, Caller
from service.dialects.table import dialect_of, generating_dialect
from service.http.admission_rate import AdmissionRate
from service.http.headers import headers_of
from service.http.problems import answer
from service.http.rate_limit_headers import rate_limit_headers

if TYPE_CHECKING:
    from service.engine.engine import Engine

_COUNTING = "/v1/messages/count_tokens"


class LoadShedding:
    """ASGI middleware around what generates."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._entrance = AdmissionRate()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        counts = method == "POST" and path == _COUNTING  # charged as a request of the key, but no generation
        if not counts and generating_dialect(method, path) is None:
            await self._app(scope, receive, send)
            return
        engine = cast("Engine", scope["state"]["engine"])
        caller: Caller = scope.get("artesian.caller", ANONYMOUS)
        headers = headers_of(scope)

        async def send_standings(message: Message) -> None:
            if message["type"] == "http.response.start" and (standings := engine.rates.limit_states(caller)):
                answered = MutableHeaders(scope=message)
                for name, value in rate_limit_headers(standings, dialect_of(scope["path"], headers)).items():
                    answered.setdefault(name, value)
            await send(message)

        if counts:
            await self._app(scope, receive, send_standings)
            return
        attaches = "idempotency-key" in headers or "last-event-id" in headers or scope["artesian.ticket"] is not None
        if not attaches and (refusal := engine.refusal(caller)):
            await answer(Request(scope, receive), refusal)(scope, receive, send_standings)
        else:
            await self._entrance.turn()
            await self._app(scope, receive, send_standings)
