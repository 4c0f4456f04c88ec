"""SQLite as a durable journal's store: a thread for the file, and polling for news."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from service.settings import SettingsError
from service.streams.journal import IdempotencyKey
from service.streams.sqlite.follower import SqliteFollower
from service.streams.sqlite.schema import WrongSchema
from service.streams.sqlite.tables import Tables
from service.streams.store import Batch, Bound, Lease, News, Outcome, Stored, StoredState, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

FOLLOWING_S = 0.01  # poll interval while streams of other processes are followed
PRODUCING_S = 0.05  # while streams are only produced here, and a client may cancel one
IDLE_S = 1.0

_TEMPORARY = ("locked", "busy", "full", "disk I/O")
"""SQLite's messages for temporary failures; any other failure at the start is an error in the settings."""


class SqliteStore:
    """One file. `process` is the name of this process among those that share it."""

    name = "sqlite"

    def __init__(self, path: str, process: str, *, lease_s: float, ttl_s: float) -> None:
        self._path = path
        self._tables = Tables(path, process, lease_s=lease_s, ttl_s=ttl_s)
        self._follower = SqliteFollower()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._opened = False
        self._wanted = asyncio.Event()
        self._produces = False

    async def open(self) -> None:
        """Open the file, again after a failure."""
        try:
            await self._run(self._tables.open)
        except _Unusable as error:
            if self._opened:
                raise Unavailable(str(error)) from error
            raise SettingsError([f"ARTESIAN_JOURNAL_URL: {self._path}: {error}"]) from error
        self._opened = True
        self._follower.reset()

    async def close(self) -> None:
        """Close the file; a statement that hangs is abandoned."""
        self._thread.submit(self._tables.close)
        self._thread.shutdown(wait=False)

    async def begin(
        self, stream_id: str, record: bytes, request: bytes, key: IdempotencyKey | None, *, archived: bool = False
    ) -> Bound | None:
        """Create a stream."""
        self._produces = True
        return await self._run(self._tables.begin, stream_id, record, request, key, archived=archived)

    async def bound(self, key: IdempotencyKey) -> Bound | None:
        """Return the stream that a key is bound to."""
        return await self._run(self._tables.bound, key)

    async def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Store batches in one commit."""
        return await self._run(self._tables.write, batches)

    async def read(self, stream_id: str) -> Stored | None:
        """Return a stream."""
        return await self._run(self._tables.read, stream_id)

    async def request(self, stream_id: str) -> bytes | None:
        """Return a request."""
        return await self._run(self._tables.request, stream_id)

    async def sample(self) -> tuple[str, bytes] | None:
        """Return one stream's id and record."""
        return await self._run(self._tables.sample)

    async def follow(self, stream_id: str, position: str) -> None:
        """Report what is added after `position`."""
        self._follower.follow(stream_id, position)
        self._wanted.set()

    def unfollow(self, stream_id: str) -> None:
        """Report a stream no longer."""
        self._follower.unfollow(stream_id)

    async def news(self) -> Sequence[News]:
        """Poll the file after an interval, which is long if nothing is followed or produced."""
        if self._follower.follows:
            await asyncio.sleep(FOLLOWING_S)
        else:
            await self._wait(PRODUCING_S if self._produces else IDLE_S)
        if not (self._follower.follows or self._produces):
            return ()
        return self._follower.apply(await self._run(self._tables.read_changes, self._follower.query()))

    async def look(self, stream_ids: Sequence[str], *, present: bool) -> Sequence[StoredState]:
        """Return the states of streams."""
        return await self._run(self._tables.look, stream_ids, present=present)

    async def leave(self, stream_id: str) -> None:
        """Note that this process has no readers of a stream."""
        await self._run(self._tables.leave, stream_id)

    async def is_read_elsewhere(self, stream_id: str) -> bool:
        """Whether another process has readers."""
        return await self._run(self._tables.is_read_elsewhere, stream_id)

    async def renew(self, leases: Sequence[Lease]) -> Sequence[Outcome]:
        """Renew the leases."""
        self._produces = bool(leases)
        return await self._run(self._tables.renew, leases) if leases else ()

    async def sweep(self) -> Sequence[tuple[str, StoredState]]:
        """Return streams without a producer."""
        return await self._run(self._tables.sweep)

    async def take_over(self, stream_id: str, *, released_only: bool) -> int | None:
        """Take a stream without a producer."""
        self._produces = True
        return await self._run(self._tables.take_over, stream_id, released_only=released_only)

    async def release(self, stream_id: str, epoch: int) -> None:
        """Release a lease."""
        await self._run(self._tables.release, stream_id, epoch)

    async def request_cancel(self, stream_id: str) -> None:
        """Note that a stream is cancelled; its producer polls for that."""
        await self._run(self._tables.request_cancel, stream_id)

    async def unstored(self) -> Collection[str]:
        """Return the ids of finished streams that are not noted as stored."""
        return await self._run(self._tables.unstored)

    async def stored(self, stream_id: str) -> None:
        """Let a stream expire."""
        await self._run(self._tables.stored, stream_id)

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""
        await self._run(self._tables.unbind, key)

    async def purge(self, stream_id: str, epoch: int | None = None) -> None:
        """Delete a stream."""
        await self._run(self._tables.purge, stream_id, epoch)

    async def _wait(self, seconds: float) -> None:
        self._wanted.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            pass

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call in the file's thread.

        Raises:
            Unavailable: it failed temporarily.
        """
        future = asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*args, **kwargs))
        try:
            return await future
        except (sqlite3.Error, OSError, WrongSchema) as error:
            message = str(error)
            if any(word in message for word in _TEMPORARY):
                raise Unavailable(message) from error
            raise _Unusable(message) from error


class _Unusable(Unavailable):
    """The failure is permanent."""
