"""Flush windows: under load, sockets stay unread for a while, so that more deltas go out in one write."""

import asyncio
from collections.abc import Callable
from time import thread_time

_LOOK_S = 0.1  # interval of load measurements
_EASY = 0.6  # of a core: no window below it
_FULL = 0.9  # of a core: the longest window from here on
_MEMORY = 0.5  # weight of earlier measurements: a burst is not load


class FlushWindow:
    """A window during which sockets are not read; shared by all streams that hit it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def then(self, resume: Callable[[], None]) -> None:
        """Call `resume` when the window ends."""
        self._waiting.append(resume)

    def end(self) -> None:
        """Resume all reads."""
        for resume in self._waiting:
            resume()


class FlushWindows:
    """Opens the process's flush windows: none while the loop is idle enough, up to `longest_s` when it is saturated.

    A single delta costs a wake-up and two system calls; many deltas in one read cost no more. `used` returns the CPU
    time of this thread in seconds.
    """

    def __init__(self, longest_s: float, *, now: float, used: Callable[[], float] = thread_time) -> None:
        self.window_s = 0.0
        self._longest_s = longest_s
        self._loop = asyncio.get_running_loop()
        self._used = used
        self._looked_at = now
        self._used_then = used()
        self._look_at = now + _LOOK_S if longest_s else float("inf")
        self._busy = 0.0
        self._open: FlushWindow | None = None

    def window(self, now: float) -> FlushWindow | None:
        """Return the open window, or open one, at the loop's time `now`; None: none is needed."""
        if now >= self._look_at:
            self._look(now)
        if not self.window_s:
            return None
        if self._open is None:
            self._open = FlushWindow()
            self._loop.call_later(self.window_s, self._end_window)
        return self._open

    def _look(self, now: float) -> None:
        used = self._used()
        busy = min(1.0, (used - self._used_then) / (now - self._looked_at))
        self._busy = _MEMORY * self._busy + (1 - _MEMORY) * busy
        self._looked_at, self._used_then, self._look_at = now, used, now + _LOOK_S
        share = (self._busy - _EASY) / (_FULL - _EASY)
        self.window_s = self._longest_s * min(1.0, max(0.0, share))

    def _end_window(self) -> None:
        window, self._open = self._open, None
        if window:
            window.end()
