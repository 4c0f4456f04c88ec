"""How long what Bedrock sends is left unread under load, so that more of it goes out in one write."""

import asyncio
from collections.abc import Callable
from time import thread_time

_LOOK_S = 0.1  # how often the load is looked at
_EASY = 0.6  # of a core: below it nobody waits
_FULL = 0.9  # of a core: from here on the window is the longest
_MEMORY = 0.5  # of what was seen before, in each look: a burst is no load


class FlushWindow:
    """One time of leaving things unread, for all who come upon it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def then(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is over."""
        self._waiting.append(go_on)

    def end(self) -> None:
        """Let everybody go on."""
        for go_on in self._waiting:
            go_on()


class FlushWindows:
    """The process's flush window: nothing while the loop has time to spare, up to `longest_s` when it has none.

    A delta that comes alone costs a wake-up and two system calls, and many that come together cost no more. `used` is
    the processor time of this thread, in seconds.
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
        """The window that is open at the loop's time `now`, or opens with it; None where there is no need for one."""
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
