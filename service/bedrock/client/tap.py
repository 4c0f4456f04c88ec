"""A response's body, handed on in the very step that read it off the socket.

aiohttp's reader wakes a task at each read, whose turn comes one round of the event loop later. With deltas that come
one by one that round was a third of what was left of their cost (CPython 3.11, aiohttp 3.14, 2026-11-24).
"""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol, cast

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

# The SDK lets aiohttp's exceptions through; the RuntimeError is a read after the client was closed.
CUT = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)


class ReadWindow(Protocol):
    """A time in which what comes is left unread, so that more of it is handed on at once."""

    def then(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is over."""


Take = Callable[[bytes], ReadWindow | None]


class Tap(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, which still parses and bounds what comes."""

    def __init__(self, content: aiohttp.StreamReader, transport: asyncio.Transport, take: Take) -> None:
        self._content = content
        self._transport = transport
        self._inner = cast("asyncio.Protocol", transport.get_protocol())
        self._take = take
        self._in_context = copy_context().run  # a connection's own is that of the request that opened it
        self._taken = 0
        self._held = False
        self._error: Exception | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Hand on what comes, to the body's end or to a cut; raises what `take` raises."""
        self._transport.set_protocol(self)
        try:
            self._drain()  # what came along with the headers
            await self._ended
        finally:
            self._step_aside()
        if self._error:
            raise self._error

    def data_received(self, data: bytes) -> None:
        """Let aiohttp parse, and hand on what came of it."""
        self._inner.data_received(data)
        self._drain()

    def eof_received(self) -> bool | None:
        """Let aiohttp decide."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on what was held back, and what the connection's end means for the body."""
        self._go_on()
        self._inner.connection_lost(exc)
        self._drain()

    def pause_writing(self) -> None:
        """Let aiohttp know."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Let aiohttp know."""
        self._inner.resume_writing()

    def _go_on(self) -> None:
        self._held = False
        self._drain()

    def _drain(self) -> None:
        content = self._content
        while content.total_bytes > self._taken:
            if self._held or self._ended.done():
                return
            try:
                received = content.read_nowait()
            except CUT:
                break
            self._taken += len(received)
            try:
                window = self._in_context(self._take, received)
            except Exception as error:  # noqa: BLE001 - `run` raises it
                self._error = error
                self._end()
                return
            if window:
                self._held = True
                window.then(self._go_on)
        if content.is_eof() or content.exception():
            self._end()

    def _end(self) -> None:
        """Leave the connection to its next call: it may be in the pool already."""
        self._step_aside()
        if not self._ended.done():
            self._ended.set_result(None)

    def _step_aside(self) -> None:
        if self._transport.get_protocol() is self:
            self._transport.set_protocol(self._inner)
