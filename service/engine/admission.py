"""Places for generations: how many run at once, and who waits for a place.

Who waits is told the place in the line as it moves: at most once a second, and far from the front only when a good part
of the way is done, so that a line of a thousand costs no more than some fifty words for each of them.

Nobody can fill the line against others: where it is full, one of an owner that has fewer in it comes in for the newest
of the owner that has most.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

from service.engine.fair_queue import FairQueue
from service.errors import ServiceError

_TELL_S = 1.0
_TOLD_AT_ONCE = 50  # in one turn of the loop: a millisecond or two
_PAUSE_S = 0.01  # between two such turns
_WORTH_TELLING = 10  # near the front each place counts, further back each tenth of the way
_LEARNING = 0.2  # what the latest interval weighs in the mean
_SOONEST_S, _LATEST_S = 1.0, 30.0  # of `Retry-After`

_FULL_AT_ONCE = "The service is full."
_FULL = "The service is full, and so is its queue."
_LET_GO = "The service is full, and this request has made room in the queue for a key that has fewer waiting."
_LATE = "The wait for a place took too long."

Told = Callable[[int], None]


class _Waiting:
    """One that waits: its turn, the place it was told last (0: it is in the line no longer), and whom to tell."""

    __slots__ = ("place", "tell", "turn")

    def __init__(self, tell: Told) -> None:
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # False: it is let go
        self.place = 0
        self.tell = tell

    @property
    def served(self) -> bool:
        """Whether it was given a place."""
        return self.turn.done() and not self.turn.cancelled() and self.turn.result()

    def end(self, *, served: bool) -> bool:
        """Take it for out of the line, with a place or without. False: it is leaving in this very turn of the loop."""
        self.place = 0
        if self.turn.done():
            return False
        self.turn.set_result(served)
        return True

    def move(self, place: int) -> None:
        """Say the place, where the way to it is worth a word."""
        if self.turn.done() or self.place - place < max(1, self.place // _WORTH_TELLING):
            return
        self.place = place
        self.tell(place)


class Slots:
    """A number of places, which may change, and a bounded line before them that is fair between owners."""

    def __init__(self, size: int, queue: int, timeout_s: float) -> None:
        self._size = size
        self._queue = queue
        self._timeout_s = timeout_s
        self._taken = 0
        self._line: FairQueue[_Waiting] = FairQueue()
        self._telling: asyncio.TimerHandle | None = None
        self._admission_rate = _AdmissionRate()
        self.expected = Reservations()
        """Whoever was let in and will ask for a place: to be entered while its stream is begun."""

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._line)

    @property
    def taken(self) -> int:
        """How many places are taken; more than there are where they have become fewer, or others' were taken over."""
        return self._taken

    @property
    def size(self) -> int:
        """How many places there are."""
        return self._size

    @property
    def full(self) -> bool:
        """Whether a further one could not even wait, unless another makes room for it."""
        return self._taken >= self._size and len(self._line) >= self._queue

    def resize(self, size: int) -> None:
        """Have more places, or fewer: those that are taken stay so until they are given back."""
        self._size = size
        self._hand_out()

    def refusal(self, owner: str) -> ServiceError | None:
        """Say why a further one of an owner's could not even wait, if so: `overloaded`, the line is full."""
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
        """When it is worth coming back: what half of the line takes at the recent rate, within bounds."""
        return min(max(self._admission_rate.interval_s * len(self._line) / 2, _SOONEST_S), _LATEST_S)

    @asynccontextmanager
    async def place(self, owner: str, on_queued: Told, *, admitted: bool = False) -> AsyncIterator[None]:
        """Hold a place while the block lasts, waiting for one in turn. `on_queued` is told the place in the line.

        `admitted`: another process had a place for it and died, so there is one beyond the bound.

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
        """Let one go that waits, where that is fair.

        Raises:
            ServiceError: `overloaded`, it is not.
        """
        if not self._line.yields_to(owner):
            raise self._refusal
        self._line.pop_newest().end(served=False)

    async def _wait(self, owner: str, on_queued: Told) -> None:
        """Wait until somebody hands over a place.

        Raises:
            ServiceError: `overloaded`, it took too long, or this one was let go for another.
        """
        if not self._line:
            self._admission_rate.begin()
        waiting = _Waiting(on_queued)
        waiting.place = self._line.add(owner, waiting)
        try:
            on_queued(waiting.place)
            self._tell_later(_TELL_S)
            async with asyncio.timeout(self._timeout_s):
                served = await waiting.turn
        except BaseException as error:
            if waiting.served:
                self._give_back()  # the place came in the moment of leaving
            elif waiting.place:
                self._line.remove(owner, waiting)
            if isinstance(error, TimeoutError):
                raise self._overloaded(_LATE) from None
            raise
        if not served:
            raise self._overloaded(_LET_GO)

    def _give_back(self) -> None:
        self._taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        """Give free places to those whose turn it is."""
        while self._line and self._taken < self._size:
            if self._line.pop().end(served=True):
                self._taken += 1
                self._admission_rate.note()

    def _tell_later(self, delay_s: float, rest: list[_Waiting] | None = None, told: int = 0) -> None:
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(delay_s, self._tell, rest, told)

    def _tell(self, order: list[_Waiting] | None, told: int) -> None:
        """Say the places to some of those who wait, and to the others a little later."""
        self._telling = None
        if not self._line:
            return
        if order is None:
            order = list(self._line.order())
        for place, waiting in enumerate(islice(order, told, told + _TOLD_AT_ONCE), told + 1):
            waiting.move(place)
        told += _TOLD_AT_ONCE
        if told < len(order):
            self._tell_later(_PAUSE_S, order, told)
        else:
            self._tell_later(_TELL_S)


class Reservations:
    """How many are about to ask for a place: there is room for them, and for no others in their stead."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon(self._less)  # after the first step of what was made in the block, which asks for the place

    def _less(self) -> None:
        self.count -= 1


class _AdmissionRate:
    """How long it takes of late until the next place is free."""

    def __init__(self) -> None:
        self._last = 0.0
        self.interval_s = 0.0

    def begin(self) -> None:
        """Note that somebody waits again."""
        self._last = asyncio.get_running_loop().time()

    def note(self) -> None:
        """Note that a place was handed over."""
        since, self._last = self._last, asyncio.get_running_loop().time()
        self.interval_s += _LEARNING * (self._last - since - self.interval_s)
