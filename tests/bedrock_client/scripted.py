"""An upstream on a real socket that says what a test tells it to, byte for byte, and remembers what it was asked."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import NamedTuple

from tests.waiting import patience


class Received(NamedTuple):
    """One request as it came: `target` still percent-encoded, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Ending(Enum):
    """How a connection ends that is not kept."""

    CLOSE = auto()
    RESET = auto()


CLOSE, RESET = Ending.CLOSE, Ending.RESET

# An event is waited for until it is set or the client goes.
Step = bytes | asyncio.Event | Ending

FRAMES = {"Content-Type": "application/vnd.amazon.eventstream", "x-amzn-RequestId": "req-1"}
JSON = {"Content-Type": "application/json", "x-amzn-RequestId": "req-1"}
LAST_CHUNK = b"0\r\n\r\n"


def head(status: int, headers: dict[str, str]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """An answer with a length."""
    return head(status, {**JSON, **(headers or {}), "Content-Length": str(len(body))}) + body


def piece(body: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


STREAM = head(200, {**FRAMES, "Transfer-Encoding": "chunked"})


def streamed(frames: bytes) -> bytes:
    """A stream that ends as it should, its frames in one HTTP chunk."""
    return STREAM + piece(frames) + LAST_CHUNK


class ScriptedServer:
    """Answers the first request with the first script, and so on; the last script is said again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.opened = 0
        self.open = 0
        self.running: set[asyncio.Task[None]] = set()
        self._scripts: deque[tuple[Step, ...]] = deque()
        self._changed = asyncio.Condition()

    async def anew(self) -> None:
        """Forget what was asked and said, once whoever is still there has gone."""
        for task in tuple(self.running):
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        self._scripts.clear()
        self.received.clear()
        self.opened = 0

    def says(self, *steps: Step) -> None:
        """Add the script for one request."""
        self._scripts.append(steps)

    def only_says(self, *steps: Step) -> None:
        """Replace what was to be said."""
        self._scripts.clear()
        self.says(*steps)

    async def until_open(self, connections: int) -> None:
        """Wait until that many connections are open, no more and no fewer."""
        async with patience(), self._changed:
            await self._changed.wait_for(lambda: self.open == connections)

    async def until_received(self, requests: int) -> None:
        """Wait until that many requests have come."""
        async with patience(), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Live through one connection."""
        self.opened += 1
        await self._count(1)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        except asyncio.CancelledError:
            await _part(reader, writer)
            raise
        finally:
            writer.close()
            await self._count(-1)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.received.append(await _request(reader))
        await self._count(0)
        script = self._scripts.popleft() if len(self._scripts) > 1 else self._scripts[0]
        for step in script:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case asyncio.Event():
                    if not await _happens(step, reader):
                        return False
                case Ending.CLOSE:
                    return False
                case Ending.RESET:
                    writer.transport.abort()
                    return False
        return True

    async def _count(self, connections: int) -> None:
        self.open += connections
        async with self._changed:
            self._changed.notify_all()


async def _part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End a connection, and wait until the client has noticed: it would send its next request there."""
    with suppress(OSError, TimeoutError):
        async with patience():
            if not writer.is_closing():
                writer.write_eof()
                while await reader.read(65536):
                    pass


async def _request(reader: asyncio.StreamReader) -> Received:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    return Received(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def _happens(event: asyncio.Event, reader: asyncio.StreamReader) -> bool:
    """Whether the event happens before the client goes."""
    waits: Iterable[asyncio.Task[object]] = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(reader.read(1))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return event.is_set()


@asynccontextmanager
async def scripted_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Serve on a free port of this machine."""
    scripted = ScriptedServer()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        scripted.running.add(task)
        try:
            await scripted.serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over; asyncio's server would report it
        finally:
            scripted.running.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    scripted.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield scripted
    finally:
        server.close()
        await scripted.anew()
