"""Outages of a journal's store, which keeps its content."""

import asyncio
import resource
import sqlite3
from pathlib import Path
from typing import Protocol

from tests.streams.servers import Server


class Outage(Protocol):
    """A store that can be made unavailable. The address is the journal's."""

    url: str

    async def begin(self) -> None:
        """Make it unavailable."""

    async def end(self) -> None:
        """Make it available again."""


class _Valkey(Outage):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url


class Killed(_Valkey):
    async def begin(self) -> None:
        self.server.kill()

    async def end(self) -> None:
        await asyncio.to_thread(self.server.start)


class Paused(_Valkey):
    async def begin(self) -> None:
        self.server.pause()

    async def end(self) -> None:
        self.server.resume()


class ReadOnly(_Valkey):
    """The server becomes the replica of a server that cannot be reached."""

    async def begin(self) -> None:
        self.server.command("REPLICAOF", "127.0.0.1", "1")

    async def end(self) -> None:
        self.server.command("REPLICAOF", "NO", "ONE")


class OutOfMemory(_Valkey):
    async def begin(self) -> None:
        self.server.command("CONFIG", "SET", "maxmemory", "1")

    async def end(self) -> None:
        self.server.command("CONFIG", "SET", "maxmemory", "0")


class _Sqlite(Outage):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "streams.db"
        self.url = f"sqlite:///{self.path}"


class Locked(_Sqlite):
    """Another connection holds the write lock of the file."""

    async def begin(self) -> None:
        self._other = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        self._other.execute("BEGIN IMMEDIATE")

    async def end(self) -> None:
        self._other.close()


class DiskFull(_Sqlite):
    """No file of this process may grow, or be written to beyond its first bytes."""

    async def begin(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, self._before[1]))

    async def end(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


VALKEY: dict[str, type[_Valkey]] = {
    "killed": Killed,
    "paused": Paused,
    "read-only": ReadOnly,
    "out of memory": OutOfMemory,
}
SQLITE: dict[str, type[_Sqlite]] = {"locked": Locked, "disk full": DiskFull}
