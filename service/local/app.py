"""The local Bedrock as an ASGI app: which path is which operation, and what an error looks like."""

import math
import re
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.local.calls import STANDING, Calls
from service.local.console import Console
from service.local.faults import FaultScript, parse
from service.local.meter import TokenCounter
from service.local.operations import apply_guardrail, control
from service.local.operations.runtime import run
from service.local.refusal import LocalRefusal
from service.local.templates import Remembered
from service.local.wire.exchange import BrokenOff, HttpExchange
from service.local.wire.send import Job, Local

FAULT_HEADER = "x-artesian-fault"
_MODEL_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)")


def create_local_app(*, rate: float = 40.0, faults: bool = False, text_url: str | None = None) -> Starlette:
    """Build the app. `rate` is in tokens a second; 0: as fast as it goes. `faults`: obey `X-Artesian-Fault`."""
    local = Local(
        rate=rate or math.inf,
        faults=faults,
        text_url=text_url,
        meter=TokenCounter(),
        calls=Calls(),
        prompts=Remembered(),
    )
    console = Console(local.calls).routes() if faults else []
    routes = [*control.routes(), *apply_guardrail.routes(), *console, Route("/{path:path}", _Door(local))]
    app = Starlette(routes=routes, exception_handlers={LocalRefusal: _refuse})
    app.state.calls = local.calls
    return app


async def _refuse(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, LocalRefusal)  # noqa: S101 what it is registered for
    return refused.response()


class _Door:
    """Reads the raw path, since a model id may hold an encoded slash, and runs the operation."""

    def __init__(self, local: Local) -> None:
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = HttpExchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except LocalRefusal as refused:
            await refused.response()(scope, receive, send)
        except ConnectionError:
            # The client left, or a fault broke the connection off: nothing is left to be said.
            if isinstance(exchange.broken, BrokenOff):
                raise

    async def _answer(self, exchange: HttpExchange) -> None:
        path = exchange.scope["raw_path"].decode("ascii")
        found = _MODEL_PATH.fullmatch(path)
        if not found or exchange.scope["method"] != "POST":
            raise LocalRefusal(
                "Unable to determine service/operation name to be authorized", "UnknownOperationException"
            )
        model_id = unquote_to_bytes(found[1]).decode(errors="replace")
        headers, body = exchange.headers(), await exchange.body()
        calls = self._local.calls
        ordered = headers.get(FAULT_HEADER, "") if self._local.faults else ""
        fault = ordered or calls.standing
        script = parse(fault) if fault else FaultScript(())
        own = headers.get("amz-sdk-invocation-id", "") if ordered or not fault else STANDING
        call = calls.open(found[2], model_id, script.key or own, fault)
        step = script.step(call.attempt)
        done = False
        try:
            job = Job(self._local, exchange, found[2], model_id, headers, body, call, step)
            done = await exchange.unless_left(run(job))
        except LocalRefusal as refused:
            call.status, done = refused.status, True
            raise
        finally:
            call.close(client_left=not done)
