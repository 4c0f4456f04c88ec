"""Usage within the current minute, counted in this process or by `limits` in the journal's Valkey or Redis.

A window starts with its first use and ends a minute later. Each process remembers the counts that it saw last. During
an outage of the server it continues from those, and reports its own counts when the server is available again: an
outage must not stop live service, and must not give a key a new minute.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from limits import RateLimitItemPerMinute
from limits.errors import StorageError

if TYPE_CHECKING:
    from limits.aio.storage.redis import RedisStorage
    from redis.asyncio import BlockingConnectionPool

logger = logging.getLogger(__name__)

WINDOW_S = 60
_TIMEOUT_S = 1.0  # of a call: every generation of a limited key waits for it
_AWAY_S = 5.0  # after a failed call, until the server is called again
_CONNECTIONS = 4
_CLOSING_S = 0.5  # a window that ends sooner is not corrected any more
_REMEMBERED = 10_000


class Count(NamedTuple):
    """The usage of a window, its end (Unix seconds), and whether the server counted it."""

    used: int
    ends: float
    shared: bool

    @property
    def over(self) -> bool:
        """Whether its minute has ended, or is about to."""
        return self.ends - time.time() < _CLOSING_S


class _Window:
    """One key's minute as this process knows it. `unreported`: what the server has not counted yet."""

    __slots__ = ("ends", "unreported", "used")

    def __init__(self) -> None:
        self.used = 0
        self.unreported = 0
        self.ends = time.time() + WINDOW_S


class Counters:
    """Windows by kind of limit and owner."""

    def __init__(self, url: str) -> None:
        self.pool = None if url.startswith(("memory:", "sqlite:")) else _pool(url)
        self._shared = _storage(self.pool) if self.pool else None
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._unavailable = False
        self._retry_at = 0.0
        self._windows: dict[str, _Window] = {}
        self._refused: set[str] = set()  # keys whose value the server refuses to count

    async def close(self) -> None:
        """Close the connections."""
        if self.pool:
            await self.pool.disconnect()

    async def add(self, name: str, most: int, owner: str, amount: int) -> Count:
        """Count usage, even beyond the limit."""
        key = RateLimitItemPerMinute(most, namespace=name).key_for(owner)
        if self._shared and (count := await self._add_shared(self._shared, key, amount)):
            return count
        window = self._window(key)
        window.used += amount
        window.unreported += amount
        return Count(window.used, window.ends, shared=False)

    async def correct(self, name: str, most: int, owner: str, amount: int, count: Count) -> Count | None:
        """Correct an earlier count in its window. None: that window has ended."""
        return None if count.over else await self.add(name, most, owner, amount)

    async def _add_shared(self, storage: "RedisStorage", key: str, amount: int) -> Count | None:
        """Count for all processes. None: the server failed. Waiting for a connection is not part of the timeout."""
        async with self._slots:
            if time.monotonic() < self._retry_at:
                return None
            owed, window = 0, self._windows.get(key)
            if window and window.ends > time.time():
                owed, window.unreported = window.unreported, 0
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    count = await self._increase(storage, key, amount + owed)
            except BaseException as error:
                if window:
                    window.unreported += owed
                if not isinstance(error, StorageError | OSError | TimeoutError):
                    raise
                self._failed(key, error)
                return None
        self._refused.discard(key)
        if self._unavailable:
            self._unavailable = False
            logger.info("Limits are counted for all processes again")
        return count

    async def _increase(self, storage: "RedisStorage", key: str, amount: int) -> Count:
        used = await storage.incr(key, WINDOW_S, amount)
        window = self._window(key, fresh=used == amount)
        if used != amount and window.used == 0:  # another process started it
            window.ends = await storage.get_expiry(key)
        window.used = used
        return Count(used, window.ends, shared=True)

    def _window(self, key: str, *, fresh: bool = False) -> _Window:
        """Return the current minute of a key, or start one."""
        window, now = self._windows.get(key), time.time()
        if window is None or fresh or window.ends <= now:
            if len(self._windows) >= _REMEMBERED:
                self._windows = {key: known for key, known in self._windows.items() if known.ends > now}
            window = self._windows[key] = _Window()
        return window

    def _failed(self, key: str, error: StorageError | OSError | TimeoutError) -> None:
        """Distinguish an outage, after which the server is not called for a while, from an error about one value."""
        cause = error.storage_error if isinstance(error, StorageError) else error
        if _is_about_one_value(cause):
            if key not in self._refused:
                if len(self._refused) >= _REMEMBERED:
                    self._refused.clear()
                self._refused.add(key)
                logger.warning("A limit is counted in this process only: %s", type(cause).__name__)
            return
        self._retry_at = time.monotonic() + _AWAY_S
        if not self._unavailable:
            self._unavailable = True
            logger.warning("Limits are counted in this process only: %s", type(cause).__name__)


def _is_about_one_value(error: Exception) -> bool:
    """Whether the server refused one command but accepts others."""
    from redis.exceptions import ClusterDownError, NoPermissionError, OutOfMemoryError, ReadOnlyError, ResponseError

    no_writes_at_all = (ReadOnlyError, OutOfMemoryError, ClusterDownError, NoPermissionError)
    return isinstance(error, ResponseError) and not isinstance(error, no_writes_at_all)


def _pool(url: str) -> "BlockingConnectionPool":
    """Make a pool of connections to the journal's server; none is opened yet."""
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    scheme, _, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    return BlockingConnectionPool.from_url(
        f"{scheme}://{rest}",
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=None,  # the timeout is around each call, as in the journal's client
        socket_connect_timeout=_TIMEOUT_S,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
    )


def _storage(pool: "BlockingConnectionPool") -> "RedisStorage":
    from limits.aio.storage.redis import RedisStorage

    options: dict[str, Any] = {"connection_pool": pool, "key_prefix": "{artesian}:limits"}
    return RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", **options)
