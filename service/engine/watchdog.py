"""One timer for every silence the process minds: upstreams that stall, deadlines, readers that want a heartbeat.

A timer re-armed at each read would cost a third of a delta that comes alone; here a read only notes the time.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Self

_GRAIN_S = 0.02  # silences are measured no finer than this
_REST_S = 3600.0


class InactivityTimer:
    """One silence, minded while its block lasts. `since` is the loop's time of the last sound; None: nobody listens.

    A class and no generator, which takes 70 bytecodes more to enter and to leave; a request has four.
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
        self.expire = _nothing  # which is mostly a method of whoever holds the watch: a circle


class Watchdog:
    """Calls `expire` of each watch whose silence lasted longer than its limit, again and again while it lasts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.watches: set[InactivityTimer] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")
        self.time = monotonic  # which is the loop's time (CPython's), without its call of a method

    def watch(self, limit_s: float, expire: Callable[[], None]) -> InactivityTimer:
        """Mind a silence while the block lasts. It begins when `since` is set, and `limit_s` may change."""
        return InactivityTimer(self, limit_s, expire)

    def mind(self, watch: InactivityTimer) -> None:
        """Look at a watch in time, after its limit was shortened or it was armed anew."""
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
    """Nobody minds."""
