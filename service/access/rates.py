"""How much a key may use: requests and tokens a minute, and generations at once.

Tokens are known only at the end. So the input is estimated and must fit, the longest answer is set aside, and what was
not needed of it is given back with the end: one generation may take a key over its limit, and the next one waits.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Self

from service.access.caller import Caller
from service.deltas import Usage
from service.errors import RateLimited

if TYPE_CHECKING:
    from service.access.counters import Count, Counters

WINDOW_S = 60
USUAL_ANSWER = 500
"""Tokens set aside for an answer without a bound: the native API's own default."""
_SOON_S = 1.0  # when one of a key's streams may have ended


class ExpectedUsage(NamedTuple):
    """What a generation is expected to use, in tokens."""

    input: int = 0
    output: int = USUAL_ANSWER


class LimitState(NamedTuple):
    """How a key stands with one of its limits. `reset_s` is None where no time gives anything back."""

    name: str
    limit: int
    remaining: int
    reset_s: int | None


class Grant:
    """Leave for one generation: it counts as one of its key's streams until it is settled or withdrawn."""

    def __init__(self, rates: "Rates", caller: Caller, wanted: ExpectedUsage) -> None:
        self.caller = caller
        self.wanted = wanted
        self.tokens: Count | None = None
        self.request: Count | None = None
        self._rates = rates
        self._closed = False

    def settle(self, usage: Usage | None) -> None:
        """Note the end, and what was used. None: nobody here knows, and what was set aside is taken for it."""
        if not self._closed:
            self._closed = True
            self._rates.settle(self, None if usage is None else self._used(usage))

    def _used(self, usage: Usage) -> int:
        """Add up what Bedrock's own quotas count: what is read from a cache is not among it."""
        output = usage.output_tokens or 0
        unreported = self.wanted.input if output else 0
        read = unreported if usage.input_tokens is None else usage.input_tokens
        return read + (usage.cache_write_tokens or 0) + output

    def withdraw(self) -> None:
        """Give everything back: there was no generation."""
        if not self._closed:
            self._closed = True
            self._rates.withdraw(self)


class Leave:
    """Leave for a generation until it is begun: what was charged for one that was not is given back."""

    grant: Grant | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.grant:
            self.grant.withdraw()


class Rates:
    """What the keys of a service use."""

    def __init__(self, journal_url: str, tasks: asyncio.TaskGroup) -> None:
        self._url = journal_url
        self._tasks = tasks
        self._counters: Counters | None = None
        self._opening = asyncio.Lock()
        self._running: Counter[str] = Counter()
        self._known: dict[tuple[str, str], Count] = {}

    async def close(self) -> None:
        """Close what was opened for counting."""
        if self._counters:
            await self._counters.close()

    def refusal(self, caller: Caller) -> RateLimited | None:
        """What is known to be over a limit, without asking anybody."""
        if caller.streams is not None and self._running[caller.id] >= caller.streams:
            at_once = f"{caller.streams} generation{'s' * (caller.streams != 1)} at once"
            return RateLimited(
                "streams", f"This key may run {at_once}.", retry_after=_SOON_S if caller.streams else None
            )
        if caller.requests_per_minute is not None and (known := self._known.get((caller.id, "requests"))):
            spent = known.used >= caller.requests_per_minute and not known.over
            return _too_many(caller, known) if spent else None
        return None

    async def admit(self, caller: Caller, wanted: ExpectedUsage) -> Grant:
        """Charge a new generation to its key.

        Raises:
            RateLimited: it is over a limit, and nothing was charged.
        """
        if refusal := self.refusal(caller):
            raise refusal
        grant = Grant(self, caller, wanted)
        self._running[caller.id] += 1
        try:
            await self._charge(grant)
        except BaseException:
            grant.withdraw()
            raise
        return grant

    def go_on(self, caller_id: str) -> Grant:
        """Count a generation that another process has begun and paid for."""
        self._running[caller_id] += 1
        return Grant(self, Caller(caller_id), ExpectedUsage())

    async def _charge(self, grant: Grant) -> None:
        caller, wanted = grant.caller, grant.wanted
        if (most := caller.requests_per_minute) is not None:
            grant.request = count = await self._add("requests", most, caller.id, 1)
            if count.used > most:
                raise _too_many(caller, count)
        if (most := caller.tokens_per_minute) is not None:
            if wanted.input > most:
                too_long = f"This request has about {wanted.input} tokens, and this key may use {most} a minute."
                raise RateLimited("tokens", too_long)
            grant.tokens = count = await self._add("tokens", most, caller.id, sum(wanted))
            before = count.used - sum(wanted)
            if before >= most or before + wanted.input > most:
                spent = f"This key may use {most} tokens a minute, and {before} are used or set aside."
                raise RateLimited("tokens", spent, retry_after=_until(count))

    async def _add(self, name: str, most: int, caller_id: str, amount: int) -> "Count":
        count = await (await self._open()).add(name, most, caller_id, amount)
        self._known[caller_id, name] = count
        return count

    async def _open(self) -> "Counters":
        """Load the library where the first limit is met: most services have none, and it takes a tenth of a second."""
        async with self._opening:
            if self._counters is None:
                self._counters = await asyncio.to_thread(_load, self._url)
        return self._counters

    def settle(self, grant: Grant, used: int | None) -> None:
        """Correct what was charged for a generation by what it used."""
        self._ended(grant.caller.id)
        if grant.tokens and used is not None and used != sum(grant.wanted):
            self._tasks.create_task(self._correct(grant, grant.tokens, used))

    def withdraw(self, grant: Grant) -> None:
        """Take back what was charged."""
        self._ended(grant.caller.id)
        if grant.request or grant.tokens:
            self._tasks.create_task(self._take_back(grant))

    def _ended(self, caller_id: str) -> None:
        self._running[caller_id] -= 1
        if self._running[caller_id] <= 0:
            del self._running[caller_id]

    async def _correct(self, grant: Grant, charged: "Count", used: int) -> None:
        """Give back what was set aside and not used; what was used beyond it counts, in a later minute if need be."""
        most, difference = grant.caller.tokens_per_minute or 0, used - sum(grant.wanted)
        corrected = await (await self._open()).correct("tokens", most, grant.caller.id, difference, charged)
        if corrected:
            self._known[grant.caller.id, "tokens"] = corrected
        elif difference > 0:
            await self._add("tokens", most, grant.caller.id, difference)

    async def _take_back(self, grant: Grant) -> None:
        caller, counters = grant.caller, await self._open()
        for name, most, count, amount in (
            ("requests", caller.requests_per_minute, grant.request, 1),
            ("tokens", caller.tokens_per_minute, grant.tokens, sum(grant.wanted)),
        ):
            if most and count and (now := await counters.correct(name, most, caller.id, -amount, count)):
                self._known[caller.id, name] = now

    def standings(self, caller: Caller) -> list[LimitState]:
        """How a key stands with each of its limits, as far as this process knows."""
        found: list[LimitState] = []
        for name, most in (("requests", caller.requests_per_minute), ("tokens", caller.tokens_per_minute)):
            if most is not None:
                known = self._known.get((caller.id, name))
                used, left_s = (known.used, known.ends - time.time()) if known else (0, 0.0)
                fresh = left_s <= 0
                found.append(
                    LimitState(name, most, most if fresh else max(0, most - used), WINDOW_S if fresh else ceil(left_s))
                )
        if (most := caller.streams) is not None:
            found.append(LimitState("streams", most, max(0, most - self._running[caller.id]), None))
        return found


def _load(journal_url: str) -> "Counters":
    from service.access.counters import Counters

    return Counters(journal_url)


def _too_many(caller: Caller, count: "Count") -> RateLimited:
    most = caller.requests_per_minute
    return RateLimited(
        "requests",
        f"This key may make {most} request{'s' * (most != 1)} a minute.",
        retry_after=_until(count) if most else None,
    )


def _until(count: "Count") -> float:
    return max(1.0, count.ends - time.time())


@asynccontextmanager
async def open_rates(journal_url: str) -> AsyncIterator[Rates]:
    """Count what keys use while the block lasts; leaving it waits for the last corrections."""
    async with asyncio.TaskGroup() as tasks:
        rates = Rates(journal_url, tasks)
        yield rates
    await rates.close()
