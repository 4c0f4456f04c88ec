"""One HTTP exchange at the level of ASGI: it writes the response, breaks the connection, and notices a disconnect."""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

from service.local.refusal import LocalRefusal

_MAX_BYTES = 25_000_000  # of a request's body, from the service model
_RESET_DELAY = 0.05  # seconds: a reset discards what the client has not read yet
_NO_LINGER = struct.pack("ii", 1, 0)  # close with a reset


class BrokenConnection(ConnectionError):
    """A fault breaks the connection. The server does not pass its transport on, so that only an error closes it."""


class HttpExchange:
    """A request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.started = False
        self.broken: BrokenConnection | None = None
        self._receive = receive
        self._send = send
        self._transport: asyncio.Transport | None = scope.get("state", {}).get("transport")

    def headers(self) -> dict[str, str]:
        """Return the request's headers, their names in lower case."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def body(self) -> bytes:
        """Read the request's body.

        Raises:
            ConnectionError: the client disconnected before the end of the body.
            LocalRefusal: the body is too long.
        """
        received = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            received += message.get("body", b"")
            if len(received) > _MAX_BYTES:
                raise LocalRefusal(f"The request body is longer than {_MAX_BYTES} bytes.")
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

    async def break_connection(self, *, reset: bool) -> None:
        """Close the connection in the middle of the response: by a reset, or by a close as of a process that died.

        Raises:
            BrokenConnection: the server does not pass its transport on.
        """
        transport = self._transport
        if transport is None:
            self.broken = BrokenConnection()
            raise self.broken
        if reset:
            await asyncio.sleep(_RESET_DELAY)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        else:
            transport.close()
        await self.wait_for_end()

    async def wait_for_end(self) -> None:
        """Wait until the client disconnects or the response is complete."""
        await self._receive()  # the body was read, so the next message is the end

    async def run_unless_left(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run the work and cancel it when the client disconnects. Return whether the work was done."""
        working, watching = asyncio.ensure_future(work), asyncio.ensure_future(self.wait_for_end())
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
            del working  # a cycle: its error holds the traceback, which holds this frame and the request's body
        return done
