"""The end of a response where it meets its connection: for what ASGI has no words for.

uvicorn puts a request's state before the app, so the server's `Connection` leaves an outlet there. Under another server
there is none, and a response goes the ways that ASGI knows.
"""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_STATE = "outlet"


class Round:
    """What is written in one round of an event loop: it goes out together, once everything that came has been read.

    A write between two reads wakes its receiver each time. With 200 streams that made a system call half as dear again
    as one of many in a row (py-spy, 2026-11-24).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._later = loop.call_soon
        self._pieces: list[tuple[asyncio.Transport, bytes]] = []

    def write(self, transport: asyncio.Transport, piece: bytes) -> None:
        """Write a piece, before anything that is called for after it."""
        if not self._pieces:
            self._later(self._flush)
        self._pieces.append((transport, piece))

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        for transport, piece in pieces:
            transport.write(piece)


_rounds: WeakKeyDictionary[asyncio.AbstractEventLoop, Round] = WeakKeyDictionary()


def round_of(loop: asyncio.AbstractEventLoop) -> Round:
    """The round that a loop is in."""
    return _rounds.get(loop) or _rounds.setdefault(loop, Round(loop))


class Outlet:
    """One response's outlet. `departures`: who is to be told when the connection is gone."""

    __slots__ = ("_cycle", "_round", "departures")

    def __init__(self, cycle: RequestResponseCycle, departures: list[Callable[[], None]], writing: Round) -> None:
        self._cycle = cycle
        self._round = writing
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
        """Write a piece of the body, framed as uvicorn frames it, with all else that this round of the loop writes."""
        cycle = self._cycle
        self._round.write(cycle.transport, b"%x\r\n%b\r\n" % (len(piece), piece) if cycle.chunked_encoding else piece)

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
