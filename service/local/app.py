"""The ASGI app of the local Bedrock: it maps each path to an operation, and errors to HTTP responses."""

import math
import re
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.local.calls import DEFAULT_FAULT_KEY, Calls
from service.local.console import Console
from service.local.faults import FaultScript, parse_script
from service.local.meter import TokenCounter
from service.local.operations import apply_guardrail, control
from service.local.operations.runtime import run
from service.local.refusal import LocalRefusal
from service.local.templates import PromptMemory
from service.local.wire.exchange import BrokenConnection, HttpExchange
from service.local.wire.send import LocalBedrock, LocalRequest

FAULT_HEADER = "x-artesian-fault"
_MODEL_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)")


def create_local_app(*, rate: float = 40.0, faults: bool = False, text_url: str | None = None) -> Starlette:
    """Build the app. `rate`: tokens a second, 0: unlimited. `faults`: inject the faults of `X-Artesian-Fault`."""
    local = LocalBedrock(
        rate=rate or math.inf,
        faults=faults,
        text_url=text_url,
        meter=TokenCounter(),
        calls=Calls(),
        prompts=PromptMemory(),
    )
    console = Console(local.calls).routes() if faults else []
    routes = [*control.routes(), *apply_guardrail.routes(), *console, Route("/{path:path}", _RuntimeEndpoint(local))]
    app = Starlette(routes=routes, exception_handlers={LocalRefusal: _send_refusal})
    app.state.calls = local.calls
    return app


async def _send_refusal(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, LocalRefusal)  # noqa: S101 registered for this class only
    return refused.response()


class _RuntimeEndpoint:
    """Runs an operation of Bedrock's runtime. It reads the raw path, since a model id can contain an encoded slash."""

    def __init__(self, local: LocalBedrock) -> None:
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = HttpExchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except LocalRefusal as refused:
            await refused.response()(scope, receive, send)
        except ConnectionError:
            # The client disconnected, or a fault closed the connection: there is no response to send.
            if isinstance(exchange.broken, BrokenConnection):
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
        own_fault = headers.get(FAULT_HEADER, "") if self._local.faults else ""
        fault = own_fault or calls.default_fault
        script = parse_script(fault) if fault else FaultScript(())
        key = headers.get("amz-sdk-invocation-id", "") if own_fault or not fault else DEFAULT_FAULT_KEY
        call = calls.open(found[2], model_id, script.key or key, fault)
        step = script.step(call.attempt)
        done = False
        try:
            request = LocalRequest(self._local, exchange, found[2], model_id, headers, body, call, step)
            done = await exchange.run_unless_left(run(request))
        except LocalRefusal as refused:
            call.status, done = refused.status, True
            raise
        finally:
            call.close(client_left=not done)
