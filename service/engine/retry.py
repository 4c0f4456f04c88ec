"""Whether and when to try again: backoff, Bedrock's own wish, and a budget for the whole process."""

import random
from collections import deque
from collections.abc import Callable, Sequence

from service.deltas import Event, Status
from service.errors import ServiceError

BASE_S = 0.5
CAP_S = 20.0
LONGEST_WISH_S = 60.0  # a longer `Retry-After` is passed on to the caller instead of being waited for
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
        """Whether a retry more is within the share, plus what is free."""
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
    """How many further calls the traffic of the last ten seconds allows: a share of it, plus three a second.

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

    def take(self) -> bool:
        """Take leave for one further call, if there is any."""
        if not all(window.has_room() for window in self._windows):
            return False
        for window in self._windows:
            window.retry()
        return True


def delay_before(attempt: int, error: ServiceError, *, jitter: Callable[[], float] = random.random) -> float:
    """Say how long to wait before attempt number `attempt` (2 is the first retry), in seconds.

    Full jitter over an exponential ceiling (AWS Architecture Blog, "Exponential Backoff and Jitter"); Bedrock's
    `Retry-After` is a floor under it.
    """
    ceiling = min(CAP_S, BASE_S * 2.0 ** (attempt - 2))
    return (error.retry_after or 0.0) + ceiling * jitter()


def calls_announced(events: Sequence[Event]) -> int:
    """How many calls a stream's status events announce; none does for the first of a process."""
    return sum(isinstance(event, Status) and event.state in _ANNOUNCING for event in events)


class Retries:
    """The attempts of one generation.

    Retries unseen and continuations share one bound and the budget. A fallback is no retry of the same, so it takes of
    neither: each can be tried, even where nothing may be tried again.
    """

    def __init__(self, most: int, budget: Budget) -> None:
        self._most = most
        self._budget = budget
        self._made = 0
        self.attempts = 0  # calls of every kind

    def begin(self) -> None:
        """Count an attempt that is being made."""
        self.attempts += 1
        if self.attempts == 1:
            self._budget.note_call()

    def go_on(self, calls: int) -> None:
        """Count the calls of the processes that died, and ours that goes on with them as a retry."""
        self._budget.note_call()
        self.attempts = calls
        self._made += 1

    @property
    def next(self) -> int:
        """The number of the retry that was allowed last, as `delay_before` counts: 2 is the first."""
        return self._made + 1

    def may_follow(self, error: ServiceError, deadline_s: float) -> bool:
        """Whether another attempt may follow `error`, with `deadline_s` seconds left for the generation."""
        wish = error.retry_after or 0.0
        allowed = (
            error.retried
            and self._made < self._most
            and wish <= min(LONGEST_WISH_S, deadline_s)
            and self._budget.take()
        )
        self._made += allowed
        return allowed

    def may_hedge(self) -> bool:
        """Whether a second call may be made beside the one under way."""
        return self._budget.take()
