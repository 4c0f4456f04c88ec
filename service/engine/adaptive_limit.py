"""A concurrency limit per model, learned from Bedrock's throttling (AIMD)."""

import math
from collections.abc import Callable

DECREASE = 0.5  # of the calls that were under way, at each round of throttles
CAUTION = 0.1  # of a round's increase, where one more would be as many as were throttled last
QUIET_S = 60.0  # Bedrock's quotas are per minute: one without a throttle says that there is room again


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, over the number of calls in flight.

    There is no limit until the first throttle, and none again a quiet minute after the last. Fifty calls that are
    throttled together count once: only a call that began after the last decrease lowers the limit again.
    The number that was throttled is tried again only every ten rounds: a model that takes two calls at once would
    else throttle one in four.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limit = math.inf
        self._ceiling = math.inf  # as many as were throttled
        self._lowered_at = -math.inf
        self._throttled_at = -math.inf

    @property
    def limit(self) -> int | None:
        """The number of calls allowed in flight; None: unlimited."""
        if self._clock() - self._throttled_at >= QUIET_S:
            self._limit = self._ceiling = math.inf
        return None if self._limit == math.inf else int(self._limit)

    def throttled(self, began: float, in_flight: int) -> None:
        """Note that a call was throttled which began at `began`, with so many in flight, itself included."""
        now = self._clock()
        current = math.inf if self.limit is None else self._limit
        self._throttled_at = now
        if began > self._lowered_at:
            self._ceiling = min(current, in_flight)
            self._limit = max(1.0, self._ceiling * DECREASE)
            self._lowered_at = now

    def passed(self, in_flight: int) -> None:
        """Note that Bedrock accepted a call: at the limit, one more call per round is allowed."""
        if (limit := self.limit) is None or in_flight < limit:
            return
        if in_flight >= self._ceiling:
            self._ceiling = math.inf
        near = self._limit + 1.0 >= self._ceiling
        self._limit += (CAUTION if near else 1.0) / self._limit
