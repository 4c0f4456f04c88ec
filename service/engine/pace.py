"""How long what Bedrock sends is left unread under load, so that more of it goes out in one write."""

import asyncio
from collections.abc import Callable
from time import monotonic, thread_time

_LOOK_S = 0.1  # how often the load is looked at
_EASY = 0.6  # of a core: below it nobody waits
_FULL = 0.9  # of a core: from here on the window is the longest
_MEMORY = 0.5  # of what was seen before, in each look: a burst is no load


class Pace:
    """The process's flush window: nothing while the loop has time to spare, up to `longest_s` when it has none.

    A delta that comes alone costs two wake-ups and two system calls, and many that come together cost no more. One
    timer ends a window for all who wait in it. `clock` is the time, `used` the processor time of this thread: seconds.
    """

    def __init__(
        self, longest_s: float, *, clock: Callable[[], float] = monotonic, used: Callable[[], float] = thread_time
    ) -> None:
        self.window_s = 0.0
        self._longest_s = longest_s
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._used = used
        self._looked_at = self._clock()
        self._used_then = used()
        self._look_at = self._looked_at + _LOOK_S if longest_s else float("inf")
        self._busy = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def window(self) -> asyncio.Future[None] | None:
        """What to wait for before more is read; None where there is no need to wait."""
        if (now := self._clock()) >= self._look_at:
            self._look(now)
        if not self.window_s:
            return None
        if not self._waiting:
            self._loop.call_later(self.window_s, self._end_window)
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        return waiting

    def _look(self, now: float) -> None:
        used = self._used()
        busy = min(1.0, (used - self._used_then) / (now - self._looked_at))
        self._busy = _MEMORY * self._busy + (1 - _MEMORY) * busy
        self._looked_at, self._used_then, self._look_at = now, used, now + _LOOK_S
        share = (self._busy - _EASY) / (_FULL - _EASY)
        self.window_s = self._longest_s * min(1.0, max(0.0, share))

    def _end_window(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
