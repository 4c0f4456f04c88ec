"""The end of a response where it meets its connection: for what ASGI has no words for.

uvicorn puts a request's state before the app, so the server's `Connection` leaves an outlet there. Under another server
there is none, and a response goes the ways that ASGI knows.
"""

from collections.abc import Callable

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_STATE = "outlet"


class Outlet:
    """One response's outlet. `departures`: who is to be told when the connection is gone."""

    __slots__ = ("_cycle", "departures")

    def __init__(self, cycle: RequestResponseCycle, departures: list[Callable[[], None]]) -> None:
        self._cycle = cycle
        self.departures = departures

    @property
    def left(self) -> bool:
        """Whether the client has gone."""
        return self._cycle.transport.is_closing()

    @property
    def ready(self) -> bool:
        """Whether a piece would go out now: the response has begun, and its reader keeps up."""
        cycle = self._cycle
        return cycle.response_started and not (cycle.flow.write_paused or cycle.disconnected or cycle.response_complete)

    def write(self, piece: bytes) -> None:
        """Write a piece of the body, framed as uvicorn frames it, in whatever step the caller is."""
        chunked = self._cycle.chunked_encoding
        self._cycle.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def hang_up(self) -> None:
        """Break the connection off at once; a close waits until all that was sent has been read."""
        self._cycle.transport.abort()


def offer(state: dict[str, object], outlet: Outlet) -> None:
    """Leave an outlet for whoever answers a request."""
    state[_STATE] = outlet


def outlet_of(scope: Scope) -> Outlet | None:
    """Find the outlet, where the server has left one."""
    outlet: Outlet | None = scope.get("state", {}).get(_STATE)
    return outlet
