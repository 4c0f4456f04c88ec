"""How many calls a generation may make, and how many retries a process: a count and a retry budget."""

from collections import deque
from collections.abc import Callable, Sequence

from service.deltas import Event, Status

_WINDOW_S = 10.0
_TAIL_S = 5.0  # three waits come to 3.5 s at most
_FREE = 30  # three a second
_ANNOUNCING = frozenset({"retrying", "reconnecting", "fallback"})


class _Window:
    """First attempts and retries of the last `seconds`."""

    def __init__(self, seconds: float, share: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._share = share
        self._clock = clock
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def has_room(self) -> bool:
        """Whether one more retry is within the share, plus the free ones."""
        self._forget()
        return len(self._retries) < self._share * len(self._calls) + _FREE

    def call(self) -> None:
        """Count a first attempt."""
        self._forget()
        self._calls.append(self._clock())

    def retry(self) -> None:
        """Count a retry."""
        self._retries.append(self._clock())

    def _forget(self) -> None:
        horizon = self._clock() - self._seconds
        for times in (self._calls, self._retries):
            while times and times[0] <= horizon:
                times.popleft()


class Budget:
    """A retry budget: a share of the calls of the last ten seconds, plus three a second.

    A process whose every call fails must not multiply the load on what is failing. Retries follow their requests by
    some seconds, so a second and longer window holds those of ten seconds of traffic to the same number: with one of
    ten seconds alone, the last requests would be retried on what the first had spent.
    """

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._windows = [_Window(seconds, share, clock) for seconds in (_WINDOW_S, _WINDOW_S + _TAIL_S)]

    def note_call(self) -> None:
        """Count a first attempt."""
        for window in self._windows:
            window.call()

    def has_room(self) -> bool:
        """Whether one further call is allowed."""
        return all(window.has_room() for window in self._windows)

    def spend(self) -> None:
        """Count one further call."""
        for window in self._windows:
            window.retry()

    def take(self) -> bool:
        """Spend one further call; False: the budget is empty."""
        if allowed := self.has_room():
            self.spend()
        return allowed


def calls_announced(events: Sequence[Event]) -> int:
    """How many calls a stream's status events announce; none does for the first of a process."""
    return sum(isinstance(event, Status) and event.state in _ANNOUNCING for event in events)


class Retries:
    """The attempts of one generation.

    Retries and continuations share one limit and the budget. A fallback uses neither: each can be called even when no
    retry is left.
    """

    def __init__(self, most: int, budget: Budget) -> None:
        self.most = most
        self._budget = budget
        self.made = 0
        self.attempts = 0  # calls of every kind

    def begin(self) -> None:
        """Count a call that is being made."""
        self.attempts += 1
        if self.attempts == 1:
            self._budget.note_call()

    def take_over(self, calls: int) -> None:
        """Count the calls of earlier processes, and the continuation as a retry."""
        self._budget.note_call()
        self.attempts = calls
        self.made += 1

    @property
    def budget_left(self) -> bool:
        """Whether the process may retry."""
        return self._budget.has_room()

    def spend(self) -> None:
        """Count a retry that was decided on."""
        self._budget.spend()
        self.made += 1

    def may_hedge(self) -> bool:
        """Whether a second call may be made beside the one under way."""
        return self._budget.take()
