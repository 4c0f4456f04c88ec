"""A second call beside one that stays silent: the first to speak goes on alone, the other is closed at once."""

import asyncio
from collections.abc import Callable

from service.deltas import Event
from service.engine.attempt import Attempt, Show
from service.engine.usage import GenerationUsage
from service.errors import ServiceError

Outcome = asyncio.Task[ServiceError | None]


class Hedge:
    """One attempt of a generation in up to two calls. `spare` makes the second, where there is leave for it."""

    def __init__(
        self, first: Attempt, spare: Callable[[], Attempt | None], usage: GenerationUsage, *, after_s: float
    ) -> None:
        self._first = first
        self._spare = spare
        self._usage = usage
        self._after_s = after_s
        self._clock = asyncio.get_running_loop().time
        self._alone_since: float | None = None  # the second, after the first has failed
        self._winner: Attempt | None = None
        self._out: list[Attempt] = []
        self._second: Attempt | None = None

    async def run(self) -> Attempt:
        """Call, and call again where no event came in time; return the attempt that came to its end.

        Raises:
            ServiceError: Bedrock refused, broke off or fell silent, both times.
        """
        show = self._first.show
        try:
            async with asyncio.TaskGroup() as calls:
                attempt, error = await self._come_to_an_end(calls)
        finally:
            if self._second:
                for either in (self._first, self._second):
                    either.show = show  # the loser still has what `_first_words` made of it: a cycle
                if self._second.usage is not self._usage:  # cancelled before either spoke
                    self._usage.add(self._second.usage)
        if error:
            raise error
        return attempt

    async def _come_to_an_end(self, calls: asyncio.TaskGroup) -> tuple[Attempt, ServiceError | None]:
        one = calls.create_task(_outcome(self._first))
        if not await self._is_silent(one) or not (second := self._spare()):
            return self._first, await one
        self._second = second
        other = calls.create_task(_outcome(second))
        self._first.show = self._first_words(self._first, second, other)
        second.show = self._first_words(second, self._first, one)
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

    async def _race(self, running: dict[Outcome, Attempt]) -> tuple[Attempt, ServiceError | None]:
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

    def _first_words(self, attempt: Attempt, rival: Attempt, call: Outcome) -> Show:
        """Stand where an attempt shows what it has, until it does so."""
        show = attempt.show

        def speak(events: list[Event], came: float | None) -> None:
            attempt.show = show
            self._win(attempt, rival)
            call.cancel()
            show(events, came)

        return speak

    def _end_others(self, attempt: Attempt, running: dict[Outcome, Attempt]) -> None:
        """Let an answer that ended without a word be the answer."""
        for call in running:
            call.cancel()
        if self._winner is None:
            self._win(attempt, next(iter(running.values()), None))

    def _failed(self, attempt: Attempt, *, left: bool) -> None:
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

    def _win(self, winner: Attempt, loser: Attempt | None) -> None:
        """Record usage of both calls; Bedrock does not report the cancelled one's."""
        self._winner = winner
        lost = loser is not None and loser not in self._out
        if winner is not self._first:
            if lost:
                self._usage.lose()
            self._take_second(winner)
        elif lost and loser:
            self._usage.add(loser.usage, lost=True)

    def _take_second(self, second: Attempt) -> None:
        """Let the second call's usage be the generation's from now on."""
        if self._alone_since is not None:
            self._usage.waited(self._alone_since)
            self._alone_since = None
        self._usage.adopt(second.usage)
        second.usage = self._usage


async def _outcome(attempt: Attempt) -> ServiceError | None:
    """Run a call; its failure is no reason to end the other."""
    try:
        await attempt.run()
    except ServiceError as error:
        return error.forget_frames()
    return None
