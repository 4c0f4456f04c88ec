"""One timer for all timeouts of the process: stalled upstreams, deadlines, heartbeats.

Re-arming a timer at each read would cost a third of a single delta; here a read only stores the time.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Self

_GRAIN_S = 0.02  # resolution of the timeouts
_REST_S = 3600.0


class InactivityTimer:
    """An inactivity timer, armed inside the block. `since`: loop time of the last activity; None disarms it.

    A class instead of a generator, which takes 70 bytecodes more to enter and exit; a request has four.
    """

    __slots__ = ("_watchdog", "expire", "limit_s", "since")

    def __init__(self, watchdog: "Watchdog", limit_s: float, expire: Callable[[], None]) -> None:
        self._watchdog = watchdog
        self.limit_s = limit_s
        self.expire = expire
        self.since: float | None = None

    def __enter__(self) -> Self:
        self._watchdog.watches.add(self)
        self._watchdog.mind(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.watches.discard(self)
        self.expire = _nothing  # mostly a method of the object that holds the timer: a reference cycle


class Watchdog:
    """Calls `expire` of each timer after `limit_s` without activity, repeatedly while the inactivity lasts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.watches: set[InactivityTimer] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")
        self.time = monotonic  # the same clock as CPython's loop.time(), without a method call

    def watch(self, limit_s: float, expire: Callable[[], None]) -> InactivityTimer:
        """Return a timer for a `with` block. It is armed when `since` is set; `limit_s` may change."""
        return InactivityTimer(self, limit_s, expire)

    def mind(self, watch: InactivityTimer) -> None:
        """Reschedule the check after a timer's limit was shortened or it was armed again."""
        if (due := self.time() + watch.limit_s) < self._next:
            self._schedule(due)

    def close(self) -> None:
        """Stop watching."""
        if self._timer:
            self._timer.cancel()

    def _schedule(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._next = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        due = now + _REST_S
        for watch in tuple(self.watches):
            if watch.since is None:
                due = min(due, now + watch.limit_s)
            elif now - watch.since >= watch.limit_s:
                watch.since = now
                watch.expire()
                due = min(due, now + watch.limit_s)
            else:
                due = min(due, watch.since + watch.limit_s)
        self._timer, self._next = None, float("inf")
        if self.watches:
            self._schedule(max(due, now + _GRAIN_S))


def _nothing() -> None:
    """Do nothing."""
