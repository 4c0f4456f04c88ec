"""A second call beside one that stays silent: the first to speak goes on alone, the other is closed at once."""

import asyncio
from collections.abc import Callable

from service.deltas import Event
from service.engine.call import ModelCall
from service.engine.usage import GenerationUsage
from service.errors import ServiceError

Outcome = asyncio.Task[ServiceError | None]


class Hedge:
    """One attempt of a generation in up to two calls. `spare` makes the second, where there is leave for it."""

    def __init__(
        self, first: ModelCall, spare: Callable[[], ModelCall | None], usage: GenerationUsage, *, after_s: float
    ) -> None:
        self._first = first
        self._spare = spare
        self._usage = usage
        self._after_s = after_s
        self._clock = asyncio.get_running_loop().time
        self._alone_since: float | None = None  # the second, after the first has failed
        self._winner: ModelCall | None = None
        self._out: list[ModelCall] = []
        self._second: ModelCall | None = None

    async def run(self) -> ModelCall:
        """Call, and call again where no event came in time; return the attempt that came to its end.

        Raises:
            ServiceError: Bedrock refused, broke off or fell silent, both times.
        """
        sink = self._first.sink
        try:
            async with asyncio.TaskGroup() as calls:
                attempt, error = await self._come_to_an_end(calls)
        finally:
            if self._second:
                for either in (self._first, self._second):
                    either.sink = sink  # the loser still has its `_RaceSink`: a reference cycle
                if self._second.usage is not self._usage:  # cancelled before either spoke
                    self._usage.add(self._second.usage)
        if error:
            raise error
        return attempt

    async def _come_to_an_end(self, calls: asyncio.TaskGroup) -> tuple[ModelCall, ServiceError | None]:
        one = calls.create_task(_outcome(self._first))
        if not await self._is_silent(one) or not (second := self._spare()):
            return self._first, await one
        self._second = second
        other = calls.create_task(_outcome(second))
        self._first.sink = _RaceSink(self, self._first, second, other)
        second.sink = _RaceSink(self, second, self._first, one)
        return await self._race({one: self._first, other: second})

    async def _is_silent(self, one: Outcome) -> bool:
        """Wait until the first has been silent for too long; False: it has spoken, or come to an end."""
        while not (one.done() or self._first.heard):
            began = self._first.began_at  # None: it waits for its turn
            left_s = self._after_s if began is None else began + self._after_s - self._clock()
            if left_s <= 0:
                return True
            await asyncio.wait((one,), timeout=left_s)
        return False

    async def _race(self, running: dict[Outcome, ModelCall]) -> tuple[ModelCall, ServiceError | None]:
        """Wait for the end of the one that speaks first, or for the failure of both."""
        attempt, error = self._first, None
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for call in done:
                attempt = running.pop(call)
                if call.cancelled():
                    continue
                error = call.result()
                if error is None or attempt is self._winner:
                    self._end_others(attempt, running)
                    return attempt, error
                self._failed(attempt, left=bool(running))
        return attempt, error

    def _end_others(self, attempt: ModelCall, running: dict[Outcome, ModelCall]) -> None:
        """Let an answer that ended without a word be the answer."""
        for call in running:
            call.cancel()
        if self._winner is None:
            self.win(attempt, next(iter(running.values()), None))

    def _failed(self, attempt: ModelCall, *, left: bool) -> None:
        """Note what a call cost that failed before either spoke, with the other still under way or after it."""
        self._out.append(attempt)
        if self._winner:
            return
        if attempt is not self._first:
            if self._alone_since is None:
                self._usage.add(attempt.usage)
            else:
                self._take_second(attempt)
        elif left:
            self._usage.cut(0)
            self._alone_since = self._clock()

    def win(self, winner: ModelCall, loser: ModelCall | None) -> None:
        """Record usage of both calls; Bedrock does not report the cancelled one's."""
        self._winner = winner
        lost = loser is not None and loser not in self._out
        if winner is not self._first:
            if lost:
                self._usage.lose()
            self._take_second(winner)
        elif lost and loser:
            self._usage.add(loser.usage, lost=True)

    def _take_second(self, second: ModelCall) -> None:
        """Let the second call's usage be the generation's from now on."""
        if self._alone_since is not None:
            self._usage.waited(self._alone_since)
            self._alone_since = None
        self._usage.adopt(second.usage)
        second.usage = self._usage


class _RaceSink:
    """Stands before a call's sink until its first events: these win the race and cancel the `other` call."""

    def __init__(self, hedge: Hedge, call: ModelCall, rival: ModelCall, other: Outcome) -> None:
        self._hedge = hedge
        self._call = call
        self._rival = rival
        self._other = other
        self._sink = call.sink

    def feed(self, events: list[Event], received: float | None) -> None:
        """Pass a batch on, after a batch with events has won the race."""
        if events:
            self._call.sink = self._sink
            self._hedge.win(self._call, self._rival)
            self._other.cancel()
        self._sink.feed(events, received)

    def queued(self, position: int) -> None:
        """Pass it on."""
        self._sink.queued(position)

    def begun(self) -> None:
        """Pass it on."""
        self._sink.begun()


async def _outcome(attempt: ModelCall) -> ServiceError | None:
    """Run a call; its failure is no reason to end the other."""
    try:
        await attempt.run()
    except ServiceError as error:
        return error.forget_frames()
    return None
