"""A TCP proxy that drops connections where a test says."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class CuttingProxy:
    """Forwards bytes, and drops a connection after as many response bytes as the next of `cuts` says.

    Without a cut left, responses pass whole. A cut of 0 drops a connection at the first byte of the response.
    `requests` has the bytes sent on each connection, `passed` the number of response bytes on all. `holding`:
    connections are not dropped but stay open and silent. `refusing`: every connection is dropped at once.
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
        """The proxy's URL."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
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
