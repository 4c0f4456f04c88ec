"""The way between a reader and the replicas: a TCP proxy that takes them in turn and can cut what it carries."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

Cut = Callable[[int], int | None]
"""For a connection's number: after how many bytes of its answer it is cut; None: never."""


class Proxy:
    """Carries bytes to one of its `ports` after the other; one that does not listen is passed over."""

    def __init__(self, ports: Sequence[int], cut: Cut) -> None:
        self.ports = list(ports)
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self._cut = cut
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cut_all(self) -> None:
        """Cut every connection that is open."""
        for writer in self._open:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        number, self.connections = self.connections, self.connections + 1
        self.requests.append(b"")
        self._open.add(writer)
        try:
            back, forth = await self._connect(number)
        except ConnectionError:
            writer.transport.abort()
            return
        try:
            there = asyncio.create_task(self._there(number, reader, forth))
            here = asyncio.create_task(_here(back, writer, self._cut(number)))
            await asyncio.wait((there, here), return_when=asyncio.FIRST_COMPLETED)
            for task in (there, here):
                task.cancel()
            await asyncio.gather(there, here, return_exceptions=True)
        finally:
            self._open.discard(writer)
            forth.transport.abort()
            writer.close()

    async def _connect(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for turn in range(len(self.ports)):
            with suppress(ConnectionError):
                return await asyncio.open_connection("127.0.0.1", self.ports[(number + turn) % len(self.ports)])
        raise ConnectionRefusedError

    async def _there(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            self.requests[number] += chunk
            writer.write(chunk)
            await writer.drain()


async def _here(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
    while chunk := await reader.read(65536):
        part = chunk if left is None else chunk[:left]
        writer.write(part)
        await writer.drain()
        if left is not None:
            left -= len(part)
            if not left:
                return


@asynccontextmanager
async def proxy(*ports: int, cut: Cut = lambda _: None) -> AsyncIterator[Proxy]:
    """Run a proxy while the block lasts."""
    carrier = Proxy(ports, cut)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(carrier.carry(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    carrier.port = server.sockets[0].getsockname()[1]
    try:
        yield carrier
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
