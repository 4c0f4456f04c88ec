"""Tracks whether a durable journal's store is available, and whether expired leases can be trusted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.streams.store import Unavailable

T = TypeVar("T")

CALL_TIMEOUT_S = 1.0
"""Timeout of a call to the store, and the longest time that an event waits for the store before it is sent unstored.

A restarted Valkey answers within half a second, a busy SQLite within some milliseconds. A longer pause looks like a
fault to a reader.
"""

_PUNCTUAL_S = 0.1  # timers of a busy event loop fire some hundredths of a second late

logger = logging.getLogger(__name__)


class Availability:
    """Availability of one store: the first failed call ends it, and only `LeaseRenewal.recover` restores it."""

    def __init__(self, name: str, lease_s: float) -> None:
        self.available = False
        self.lost_at = float("-inf")
        self.on_lost: Callable[[], None] = lambda: None
        self._name = name
        self._lease_s = lease_s
        self._loop = asyncio.get_running_loop()
        self._suspended_until = float("inf")
        self._available_since = float("-inf")
        self._is_available = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def expiry_suspended(self) -> bool:
        """Whether an expired lease must not be acted on: its owner may have had no chance to renew it."""
        return self._loop.time() < self._suspended_until

    @property
    def grace_s(self) -> float:
        """Seconds left before an outage is announced to readers."""
        return CALL_TIMEOUT_S if self.available else max(0.0, self.lost_at + CALL_TIMEOUT_S - self._loop.time())

    def suspend_expiry(self) -> None:
        """Act on no expired lease for the length of one lease."""
        self._suspended_until = self._loop.time() + self._lease_s

    def note_delay(self, delay_s: float) -> None:
        """Suspend expiry after a delay of half a lease; leases are renewed every third of their length."""
        if delay_s > self._lease_s / 2:
            self.suspend_expiry()

    def mark_available(self) -> None:
        """Record that the store is available."""
        self.suspend_expiry()
        self.available = True
        self._available_since = self._loop.time()
        self._lost.clear()
        self._is_available.set()
        logger.info("The journal is available: %s", self._name)

    def mark_unavailable(self, error: BaseException, since: float | None = None) -> None:
        """Record that a call failed that began at `since`."""
        if not self.available:
            return
        self.available = False
        self.lost_at = self._loop.time() if since is None else since
        self._is_available.clear()
        self._lost.set()
        logger.warning("The journal is not available: %s: %s", self._name, str(error) or type(error).__name__)
        self.on_lost()

    async def wait(self) -> None:
        """Wait until the store is available."""
        await self._is_available.wait()

    async def wait_for_loss(self, timeout_s: float) -> None:
        """Wait until the store becomes unavailable, at most `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            pass

    async def call(self, call: Awaitable[T]) -> T:
        """Call the store with a timeout.

        A slow call may have been slow for other processes too, so that they could not renew their leases.

        Raises:
            Unavailable: the call failed, and the store now counts as unavailable.
        """
        began = self._loop.time()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await call
        except Unavailable as error:
            self.mark_unavailable(error, max(began, self._available_since))
            raise
        except TimeoutError as error:
            # Half of the grace period remains: this process may have been suspended, and the store may respond to the
            # next call and report who owns the streams. All of it if the timeout itself fired late: it was suspended.
            late_s = self._loop.time() - began - CALL_TIMEOUT_S
            used_s = CALL_TIMEOUT_S / 2 if late_s < _PUNCTUAL_S else 0.0
            self.mark_unavailable(error, self._loop.time() - used_s)
            raise Unavailable("The store did not respond in time.") from error
        finally:
            self.note_delay(self._loop.time() - began)
