"""`/_local`: what tests in other processes see and do. It exists where faults are allowed, and only there."""

import asyncio
import math

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.local.calls import Calls, LocalCall
from service.local.faults import parse

_LONGEST = 30.0  # seconds that a question may wait for its answer


class Console:
    """Looks at calls, waits for them, releases what their gates hold."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/_local/calls", self.list, methods=["GET"]),
            Route("/_local/calls", self.clear, methods=["DELETE"]),
            Route("/_local/calls/{number:int}", self.show, methods=["GET"]),
            Route("/_local/release", self.release, methods=["POST"]),
            Route("/_local/fault", self.order, methods=["PUT"]),
            Route("/_local/fault", self.recover, methods=["DELETE"]),
        ]

    async def list(self, _: Request) -> Response:
        """List the calls, oldest first."""
        return JSONResponse({"calls": [call.report() for call in self._calls]})

    async def clear(self, _: Request) -> Response:
        """Forget the calls that are over."""
        self._calls.clear()
        return Response(status_code=204)

    async def show(self, request: Request) -> Response:
        """Show one call; `?state=closed` (or `waiting`, or `deltas=n`) waits until it has come to that."""
        number = int(request.path_params["number"])
        wanted = request.query_params
        try:
            patience = min(float(wanted.get("timeout", "5")), _LONGEST)
            deltas = int(wanted.get("deltas", "0"))
        except ValueError:
            return JSONResponse({"message": "timeout and deltas are numbers"}, 400)
        try:
            async with asyncio.timeout(patience):
                await self._calls.until(lambda calls: _has_come(calls.find(number), wanted.get("state"), deltas))
        except TimeoutError:
            return JSONResponse({"message": "it has not come to that"}, 408)
        found = self._calls.find(number)
        return JSONResponse(found.report()) if found else JSONResponse({"message": "no such call"}, 404)

    async def release(self, request: Request) -> Response:
        """Open gates: `?call=` of one call, else of all; `?times=` how many, else all of them."""
        wanted = request.query_params
        try:
            times = float(wanted.get("times", "inf"))
            number = int(wanted.get("call", "0"))
        except ValueError:
            return JSONResponse({"message": "call and times are numbers"}, 400)
        if not number:
            self._calls.release(times if times > 0 else math.inf)
            return Response(status_code=204)
        call = self._calls.find(number)
        if call is None:
            return JSONResponse({"message": "no such call"}, 404)
        call.release(times)
        return Response(status_code=204)

    async def order(self, request: Request) -> Response:
        """Order a fault for every call that orders none itself, until it is taken back: the body is the header's value.

        All of them follow one script together.
        """
        fault = (await request.body()).decode(errors="replace").strip()
        parse(fault)
        self._calls.stand(fault)
        return Response(status_code=204)

    async def recover(self, _: Request) -> Response:
        """Let all be well again."""
        self._calls.stand("")
        return Response(status_code=204)


def _has_come(call: LocalCall | None, state: str | None, deltas: int) -> bool:
    return call is not None and (state is None or call.state == state) and call.deltas >= deltas
