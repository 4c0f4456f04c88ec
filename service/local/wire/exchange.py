"""One HTTP exchange, one floor below Starlette: what it writes, how it breaks off, and whether anyone listens."""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

from service.local.refusal import LocalRefusal

_MOST_BYTES = 25_000_000  # of a request's body, as the service model says
_LAST_READ = 0.05  # seconds: a reset takes back what the other side has not read yet
_NO_LINGER = struct.pack("ii", 1, 0)  # close with a reset


class BrokenOff(ConnectionError):
    """The connection shall be closed in mid-answer, and the server we run on offers no other way than to fail."""


class HttpExchange:
    """A request that is being answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.started = False
        self.broken: BrokenOff | None = None
        self._receive = receive
        self._send = send
        self._transport: asyncio.Transport | None = scope.get("state", {}).get("transport")

    def headers(self) -> dict[str, str]:
        """Return the request's headers, their names in lower case."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def body(self) -> bytes:
        """Read the request's body.

        Raises:
            ConnectionError: the client left before it had sent it.
            Refused: it is too long.
        """
        received = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            received += message.get("body", b"")
            if len(received) > _MOST_BYTES:
                raise LocalRefusal(f"The request body is longer than {_MOST_BYTES} bytes.")
            if not message.get("more_body", False):
                return bytes(received)

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the status line and the headers."""
        self.started = True
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, part: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def finish(self, part: bytes = b"") -> None:
        """End the body cleanly."""
        await self._send({"type": "http.response.body", "body": part, "more_body": False})

    async def break_off(self, *, reset: bool) -> None:
        """Close the connection without ending the answer: by a reset, or as if the process had died.

        Raises:
            BrokenOff: the server gave us no hold of the connection.
        """
        transport = self._transport
        if transport is None:
            self.broken = BrokenOff()
            raise self.broken
        if reset:
            await asyncio.sleep(_LAST_READ)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        else:
            transport.close()
        await self.left()

    async def left(self) -> None:
        """Wait until the client is gone, or the answer complete."""
        await self._receive()  # the body has been read, so all that can come is the end

    async def unless_left(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work, but stop it as soon as the client is gone. Return whether the work was done."""
        working, watching = asyncio.ensure_future(work), asyncio.ensure_future(self.left())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            done = working.done()
        finally:
            watching.cancel()
            working.cancel()
            await asyncio.wait({working, watching})
        try:
            if done:
                working.result()
        finally:
            del working  # it holds its error, whose traceback holds this frame, and the request's body further down
        return done
