"""A way to the service that breaks: a TCP proxy that drops connections where a test says."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class CuttingProxy:
    """Hands bytes on, and drops a connection once as many bytes of its answers have passed as the next of `cuts` says.

    Where no cut is left they pass whole. A cut of 0 drops a connection when the service has begun to answer.
    `requests` is what was sent on each connection, `passed` how many bytes came back on all of them. `holding`: instead
    of being dropped a connection stays open, and silent. `refusing`: every connection is dropped at once.
    """

    def __init__(self, port: int, cuts: Iterable[int]) -> None:
        self.requests: list[bytes] = []
        self.port = 0
        self.passed = 0
        self.refusing = False
        self.holding = False
        self._to = port
        self.cuts = deque(cuts)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        number = len(self.requests)
        self.requests.append(b"")
        if self.refusing:
            writer.transport.abort()
            return
        cut = self.cuts.popleft() if self.cuts else None
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            asking = asyncio.create_task(self._ask(number, reader, upstream_writer))
            answering = asyncio.create_task(self._answer(upstream_reader, writer, cut))
            await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
            for task in (asking, answering):
                task.cancel()
        finally:
            upstream_writer.transport.abort()
            writer.transport.abort() if cut is not None else writer.close()

    async def _ask(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            self.requests[number] += chunk
            writer.write(chunk)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None) -> None:
        passed = 0
        while chunk := await reader.read(65536):
            whole = cut is None or passed + len(chunk) < cut
            shown = chunk if whole else chunk[: (cut or 0) - passed]
            writer.write(shown)
            await writer.drain()
            passed += len(shown)
            self.passed += len(shown)
            if not whole:
                if self.holding:
                    await asyncio.Event().wait()
                return


@asynccontextmanager
async def cutting(url: str, cuts: Iterable[int] = ()) -> AsyncIterator[CuttingProxy]:
    """Run a cutting proxy in front of a service."""
    proxy = CuttingProxy(urlsplit(url).port or 80, cuts)
    async with asyncio.TaskGroup() as connections:

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(connections.create_task(proxy.serve(reader, writer)))

        tasks: list[asyncio.Task[None]] = []
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for task in tasks:
                task.cancel()
