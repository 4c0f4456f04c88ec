"""What has been used of a minute, counted by `limits` in this process, or in the journal's Valkey or Redis.

A window begins with its first use and ends a minute later, whatever was used of it. While the server is away each
process counts for itself: a journal's outage must not stop live service, and a key must not run away meanwhile.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.errors import StorageError

if TYPE_CHECKING:
    from limits.aio.storage.redis import RedisStorage
    from redis.asyncio import BlockingConnectionPool

logger = logging.getLogger(__name__)

WINDOW_S = 60
_PATIENCE_S = 1.0  # for an answer of the server: every generation of a limited key waits for it
_AWAY_S = 5.0  # how long a server that has failed is left alone
_CONNECTIONS = 4
_CLOSING_S = 0.5  # what ends sooner is not corrected any more
_REMEMBERED = 10_000


class Count(NamedTuple):
    """How much of a window is used, when it ends (Unix seconds), and whether every process counts in it."""

    used: int
    ends: float
    shared: bool

    @property
    def over(self) -> bool:
        """Whether its minute is over, or as good as."""
        return self.ends - time.time() < _CLOSING_S


class Counters:
    """Windows by what is counted and whose it is."""

    def __init__(self, url: str) -> None:
        self._local = MemoryStorage()
        self.pool = None if url.startswith(("memory:", "sqlite:")) else _pool(url)
        self._shared = _storage(self.pool) if self.pool else None
        self._turn = asyncio.Semaphore(_CONNECTIONS)
        self._away = False
        self._look_again = 0.0
        self._ends: dict[str, float] = {}

    async def close(self) -> None:
        """Close the connections."""
        if self.pool:
            await self.pool.disconnect()

    async def add(self, name: str, most: int, owner: str, amount: int) -> Count:
        """Count what is used, be it too much or not."""
        key = RateLimitItemPerMinute(most, namespace=name).key_for(owner)
        if self._shared and (count := await self._add_shared(self._shared, key, amount)):
            return count
        return await self._add(self._local, key, amount)

    async def _add_shared(self, storage: "RedisStorage", key: str, amount: int) -> Count | None:
        """Count for all processes; None where the server is away. The wait for a connection is no fault of its."""
        async with self._turn:
            if not self._here:
                return None
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    count = await self._add(storage, key, amount)
            except (StorageError, OSError, TimeoutError) as error:
                self._lost(error)
                return None
        if self._away:
            self._away = False
            logger.info("Limits are counted for all processes again")
        return count

    @property
    def _here(self) -> bool:
        """Whether every process counts together, as far as is known."""
        return self._shared is not None and time.monotonic() >= self._look_again

    def _lost(self, error: Exception) -> None:
        self._look_again = time.monotonic() + _AWAY_S
        if not self._away:
            self._away = True
            logger.warning("Limits are counted in this process alone: %s", type(error).__name__)

    async def correct(self, name: str, most: int, owner: str, amount: int, count: Count) -> Count | None:
        """Count more, or less, in the window of an earlier count. None: that window is over."""
        if count.over or count.shared != self._here:
            return None
        return await self.add(name, most, owner, amount)

    async def _add(self, storage: "MemoryStorage | RedisStorage", key: str, amount: int) -> Count:
        shared = storage is self._shared
        used = await storage.incr(key, WINDOW_S, amount)
        known = f"{shared}{key}"
        now = time.time()
        if used == amount:
            ends = now + WINDOW_S
        elif (ends := self._ends.get(known, 0.0)) <= now:
            ends = await storage.get_expiry(key)
        if len(self._ends) >= _REMEMBERED:
            self._ends = {key: end for key, end in self._ends.items() if end > now}
        self._ends[known] = ends
        return Count(used, ends, shared)


def _pool(url: str) -> "BlockingConnectionPool":
    """Prepare connections to the journal's server; none is opened yet."""
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    scheme, _, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    return BlockingConnectionPool.from_url(
        f"{scheme}://{rest}",
        max_connections=_CONNECTIONS,
        timeout=_PATIENCE_S,
        socket_timeout=None,  # the bound is around each call, as in the journal's own client
        socket_connect_timeout=_PATIENCE_S,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
    )


def _storage(pool: "BlockingConnectionPool") -> "RedisStorage":
    from limits.aio.storage.redis import RedisStorage

    options: dict[str, Any] = {"connection_pool": pool, "key_prefix": "{artesian}:limits"}
    return RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", **options)
