"""The routes under `/_local`: call inspection for tests in other processes. They exist only if faults are allowed."""

import asyncio
import math

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.local.calls import Calls
from service.local.faults import parse_script

_MAX_WAIT = 30.0  # seconds


class Console:
    """Lists calls, waits for them, opens their gates and sets the default fault."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_local/calls", self.list, methods=["GET"]),
            Route("/_local/calls", self.clear, methods=["DELETE"]),
            Route("/_local/calls/{number:int}", self.show, methods=["GET"]),
            Route("/_local/release", self.release, methods=["POST"]),
            Route("/_local/fault", self.set_fault, methods=["PUT"]),
            Route("/_local/fault", self.clear_fault, methods=["DELETE"]),
        ]

    async def list(self, _: Request) -> Response:
        """List the calls, oldest first."""
        return JSONResponse({"calls": [call.report() for call in self._calls]})

    async def clear(self, _: Request) -> Response:
        """Delete the closed calls."""
        self._calls.clear()
        return Response(status_code=204)

    async def show(self, request: Request) -> Response:
        """Show one call; `?state=closed` (or `waiting`, or `deltas=n`) waits until the call reaches it."""
        number = int(request.path_params["number"])
        wanted = request.query_params
        try:
            timeout_s = min(float(wanted.get("timeout", "5")), _MAX_WAIT)
            deltas = int(wanted.get("deltas", "0"))
        except ValueError:
            return JSONResponse({"message": "timeout and deltas must be numbers."}, 400)
        try:
            async with asyncio.timeout(timeout_s):
                await self._calls.wait_until(
                    lambda calls: (
                        (call := calls.find(number)) is not None
                        and wanted.get("state") in {None, call.state}
                        and call.deltas >= deltas
                    )
                )
        except TimeoutError:
            return JSONResponse({"message": "The call did not reach this state within the timeout."}, 408)
        found = self._calls.find(number)
        return JSONResponse(found.report()) if found else JSONResponse({"message": "Unknown call."}, 404)

    async def release(self, request: Request) -> Response:
        """Open gates: `?call=` of one call, by default of all; `?times=` how many, by default all."""
        wanted = request.query_params
        try:
            times = float(wanted.get("times", "inf"))
            number = int(wanted.get("call", "0"))
        except ValueError:
            return JSONResponse({"message": "call and times must be numbers."}, 400)
        if not number:
            self._calls.release(times if times > 0 else math.inf)
            return Response(status_code=204)
        call = self._calls.find(number)
        if call is None:
            return JSONResponse({"message": "Unknown call."}, 404)
        call.release(times)
        return Response(status_code=204)

    async def set_fault(self, request: Request) -> Response:
        """Set the default fault, for every call without one of its own; the body is the header's value.

        These calls share one script.
        """
        fault = (await request.body()).decode(errors="replace").strip()
        parse_script(fault)
        self._calls.set_default_fault(fault)
        return Response(status_code=204)

    async def clear_fault(self, _: Request) -> Response:
        """Remove the default fault."""
        self._calls.set_default_fault("")
        return Response(status_code=204)
