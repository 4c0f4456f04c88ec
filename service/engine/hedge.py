"""Hedging: a second call beside a silent one; the first to return content continues, the other is cancelled."""

import asyncio
from collections.abc import Callable

from service.deltas import Event
from service.engine.call import ModelCall
from service.engine.usage import GenerationUsage
from service.errors import ServiceError

Outcome = asyncio.Task[ServiceError | None]


class Hedge:
    """One attempt in up to two calls. `spare` creates the second, or returns None where that is not allowed."""

    def __init__(
        self, first: ModelCall, spare: Callable[[], ModelCall | None], usage: GenerationUsage, *, after_s: float
    ) -> None:
        self._first = first
        self._spare = spare
        self._usage = usage
        self._after_s = after_s
        self._clock = asyncio.get_running_loop().time
        self._alone_since: float | None = None  # the second, once the first has failed
        self._winner: ModelCall | None = None
        self._out: list[ModelCall] = []
        self._second: ModelCall | None = None

    async def run(self) -> ModelCall:
        """Call, and call again after `after_s` without content; return the call that ended.

        Raises:
            ServiceError: both calls failed.
        """
        sink = self._first.sink
        try:
            async with asyncio.TaskGroup() as calls:
                attempt, error = await self._run_calls(calls)
        finally:
            if self._second:
                for either in (self._first, self._second):
                    either.sink = sink  # the loser still has its `_RaceSink`: a reference cycle
                if self._second.usage is not self._usage:  # cancelled before either spoke
                    self._usage.add(self._second.usage)
        if error:
            raise error
        return attempt

    async def _run_calls(self, calls: asyncio.TaskGroup) -> tuple[ModelCall, ServiceError | None]:
        one = calls.create_task(_outcome(self._first))
        if not await self._is_silent(one) or not (second := self._spare()):
            return self._first, await one
        self._second = second
        other = calls.create_task(_outcome(second))
        self._first.sink = _RaceSink(self, self._first, second, other)
        second.sink = _RaceSink(self, second, self._first, one)
        return await self._race({one: self._first, other: second})

    async def _is_silent(self, one: Outcome) -> bool:
        """Wait until the first call has been silent for too long; False: it has content, or ended."""
        while not (one.done() or self._first.has_content):
            began = self._first.began_at  # None: it waits for its permit
            left_s = self._after_s if began is None else began + self._after_s - self._clock()
            if left_s <= 0:
                return True
            await asyncio.wait((one,), timeout=left_s)
        return False

    async def _race(self, running: dict[Outcome, ModelCall]) -> tuple[ModelCall, ServiceError | None]:
        """Wait for the end of the call that has content first, or for the failure of both."""
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
        """Cancel the other call; an empty answer that ended first wins."""
        for call in running:
            call.cancel()
        if self._winner is None:
            self.win(attempt, next(iter(running.values()), None))

    def _failed(self, attempt: ModelCall, *, left: bool) -> None:
        """Record the usage of a call that failed before either had content."""
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
        """Make the second call's usage the generation's."""
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
    """Run a call and return its error: a failure must not cancel the other call."""
    try:
        await attempt.run()
    except ServiceError as error:
        return error.forget_frames()
    return None
