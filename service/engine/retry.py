"""Whether and when to try again: backoff, Bedrock's own wish, and a budget for the whole process."""

import random
from collections import deque
from collections.abc import Callable

from service.errors import ServiceError

BASE_S = 0.5
CAP_S = 20.0
LONGEST_WISH_S = 60.0  # a longer `Retry-After` is passed on to the caller instead of being waited for
_WINDOW_S = 10.0
_FREE_PER_S = 3.0


class Budget:
    """How many retries the traffic of the last ten seconds allows: a share of it, plus three a second.

    A process whose every call fails must not multiply the load on what is failing.
    """

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._clock = clock
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def note_call(self) -> None:
        """Count a first attempt."""
        self._forget()
        self._calls.append(self._clock())

    def take(self) -> bool:
        """Take leave for one retry, if there is any."""
        self._forget()
        if len(self._retries) >= self._share * len(self._calls) + _FREE_PER_S * _WINDOW_S:
            return False
        self._retries.append(self._clock())
        return True

    def _forget(self) -> None:
        horizon = self._clock() - _WINDOW_S
        for times in (self._calls, self._retries):
            while times and times[0] <= horizon:
                times.popleft()


def delay_before(attempt: int, error: ServiceError, *, jitter: Callable[[], float] = random.random) -> float:
    """Say how long to wait before attempt number `attempt` (2 is the first retry), in seconds.

    Full jitter over an exponential ceiling (AWS Architecture Blog, "Exponential Backoff and Jitter"); Bedrock's
    `Retry-After` is a floor under it.
    """
    ceiling = min(CAP_S, BASE_S * 2.0 ** (attempt - 2))
    return (error.retry_after or 0.0) + ceiling * jitter()


class Retries:
    """The attempts of one generation, whatever they are for: retries unseen and continuations share them."""

    def __init__(self, most: int, budget: Budget) -> None:
        self._most = most
        self._budget = budget
        self.attempts = 0

    def begin(self) -> None:
        """Count an attempt that is being made."""
        self.attempts += 1
        if self.attempts == 1:
            self._budget.note_call()

    def may_follow(self, error: ServiceError, deadline_s: float) -> bool:
        """Whether another attempt may follow `error`, with `deadline_s` seconds left for the generation."""
        wish = error.retry_after or 0.0
        return (
            error.retried
            and self.attempts <= self._most
            and wish <= min(LONGEST_WISH_S, deadline_s)
            and self._budget.take()
        )
