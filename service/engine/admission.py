"""Stream slots: a concurrency limit on generations, and the queue before it.

Each waiting request learns its position at most once a second, and beyond position 10 only after it has improved by
10 %: a queue of a thousand costs some fifty messages per request.

No owner can fill the queue: when it is full, a request of an owner with fewer entries replaces the newest entry of the
owner with most.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

from service.engine.fair_queue import FairQueue
from service.errors import ServiceError

_REPORT_S = 1.0
_REPORTS_AT_ONCE = 50  # in one iteration of the loop: a millisecond or two
_PAUSE_S = 0.01  # between two such iterations
_REPORTED_SHARE = 10  # positions up to 10 are all reported, later ones after each tenth
_SMOOTHING = 0.2  # weight of the latest interval in the moving average
_SOONEST_S, _LATEST_S = 1.0, 30.0  # of `Retry-After`

_FULL_AT_ONCE = "The service is full."
_FULL = "The service is full, and so is its queue."
_REPLACED = "The service is full, and this request has made room in the queue for a key that has fewer waiting."
_LATE = "The wait for a place took too long."

OnQueued = Callable[[int], None]
"""Called with the position in the queue."""


class _Waiting:
    """A waiting request, with the position reported last (0: it has left the queue)."""

    __slots__ = ("place", "report", "turn")

    def __init__(self, report: OnQueued) -> None:
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # False: it was replaced
        self.place = 0
        self.report = report

    @property
    def served(self) -> bool:
        """Whether it received a slot."""
        return self.turn.done() and not self.turn.cancelled() and self.turn.result()

    def end(self, *, served: bool) -> bool:
        """End the wait, with a slot or without. False: it has been cancelled in this iteration of the loop."""
        self.place = 0
        if self.turn.done():
            return False
        self.turn.set_result(served)
        return True

    def move(self, place: int) -> None:
        """Report the position if it has improved enough."""
        if self.turn.done() or self.place - place < max(1, self.place // _REPORTED_SHARE):
            return
        self.place = place
        self.report(place)


class Slots:
    """A resizable number of slots, and a bounded queue that is fair between owners."""

    def __init__(self, size: int, queue: int, timeout_s: float) -> None:
        self._size = size
        self._queue = queue
        self._timeout_s = timeout_s
        self._taken = 0
        self._line: FairQueue[_Waiting] = FairQueue()
        self._report_timer: asyncio.TimerHandle | None = None
        self._admission_rate = _AdmissionRate()
        self.expected = Reservations()
        """Reserves a slot while the stream is being created."""

    @property
    def queued(self) -> int:
        """The length of the queue."""
        return len(self._line)

    @property
    def taken(self) -> int:
        """Slots in use; more than `size` after it was lowered, or after a takeover."""
        return self._taken

    @property
    def size(self) -> int:
        """The number of slots."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether slots and queue are full."""
        return self._taken >= self._size and len(self._line) >= self._queue

    def resize(self, size: int) -> None:
        """Change the number of slots. Slots in use stay in use until they are released."""
        self._size = size
        self._hand_out()

    def refusal(self, owner: str) -> ServiceError | None:
        """Return `overloaded` if another request of `owner` could not even queue."""
        free = max(0, self._size - self._taken) + self._queue - len(self._line)
        if free > self.expected.count or self._line.yields_to(owner):
            return None
        return self._refusal

    @property
    def _refusal(self) -> ServiceError:
        return self._overloaded(_FULL if self._queue else _FULL_AT_ONCE)

    def _overloaded(self, sentence: str) -> ServiceError:
        return ServiceError("overloaded", sentence, retry_after=self.expected_wait_s)

    @property
    def expected_wait_s(self) -> float:
        """Seconds for `Retry-After`: the time that half of the queue takes at the recent rate, within bounds."""
        return min(max(self._admission_rate.interval_s * len(self._line) / 2, _SOONEST_S), _LATEST_S)

    @asynccontextmanager
    async def place(self, owner: str, on_queued: OnQueued, *, admitted: bool = False) -> AsyncIterator[None]:
        """Hold a slot inside the block, after a wait in the queue; `on_queued` receives the positions.

        `admitted`: a process that died had admitted it, so it gets a slot beyond the limit.

        Raises:
            ServiceError: `overloaded`, the queue is full, or the wait took too long, or another owner came first.
        """
        if admitted or self._taken < self._size:
            self._taken += 1
        else:
            if self.full:
                self._make_room(owner)
            await self._wait(owner, on_queued)
        try:
            yield
        finally:
            self._give_back()

    def _make_room(self, owner: str) -> None:
        """Remove the newest entry of the owner with most, where that is fair.

        Raises:
            ServiceError: `overloaded`, it is not.
        """
        if not self._line.yields_to(owner):
            raise self._refusal
        self._line.pop_newest().end(served=False)

    async def _wait(self, owner: str, on_queued: OnQueued) -> None:
        """Wait for a slot.

        Raises:
            ServiceError: `overloaded`, the wait took too long, or another owner's request replaced this one.
        """
        if not self._line:
            self._admission_rate.begin()
        waiting = _Waiting(on_queued)
        waiting.place = self._line.add(owner, waiting)
        try:
            on_queued(waiting.place)
            self._report_later(_REPORT_S)
            async with asyncio.timeout(self._timeout_s):
                served = await waiting.turn
        except BaseException as error:
            if waiting.served:
                self._give_back()  # the slot was granted at the moment of cancellation
            elif waiting.place:
                self._line.remove(owner, waiting)
            if isinstance(error, TimeoutError):
                raise self._overloaded(_LATE) from None
            raise
        if not served:
            raise self._overloaded(_REPLACED)

    def _give_back(self) -> None:
        self._taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        """Grant free slots to the next in the queue."""
        while self._line and self._taken < self._size:
            if self._line.pop().end(served=True):
                self._taken += 1
                self._admission_rate.note()

    def _report_later(self, delay_s: float, rest: list[_Waiting] | None = None, reported: int = 0) -> None:
        if self._report_timer is None:
            loop = asyncio.get_running_loop()
            self._report_timer = loop.call_later(delay_s, self._report, rest, reported)

    def _report(self, order: list[_Waiting] | None, reported: int) -> None:
        """Report positions to some waiting requests, and to the others a little later."""
        self._report_timer = None
        if not self._line:
            return
        if order is None:
            order = list(self._line.order())
        for place, waiting in enumerate(islice(order, reported, reported + _REPORTS_AT_ONCE), reported + 1):
            waiting.move(place)
        reported += _REPORTS_AT_ONCE
        if reported < len(order):
            self._report_later(_PAUSE_S, order, reported)
        else:
            self._report_later(_REPORT_S)


class Reservations:
    """Counts requests that are about to take a slot; their room is not given to others."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon(self._less)  # after the first step of the task created in the block, which takes the slot

    def _less(self) -> None:
        self.count -= 1


class _AdmissionRate:
    """A moving average of the time between two released slots."""

    def __init__(self) -> None:
        self._last = 0.0
        self.interval_s = 0.0

    def begin(self) -> None:
        """Restart the clock: the queue is no longer empty."""
        self._last = asyncio.get_running_loop().time()

    def note(self) -> None:
        """Note that a slot was granted."""
        since, self._last = self._last, asyncio.get_running_loop().time()
        self.interval_s += _SMOOTHING * (self._last - since - self.interval_s)
