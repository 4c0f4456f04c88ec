"""A key's limits: requests and tokens a minute, and concurrent generations.

Token counts are known only at the end. Admission estimates the input, which must fit, and reserves the longest answer;
the end replaces both by the actual usage. So one generation may exceed a key's limit, and the next one waits.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Self

from service.access.caller import Caller
from service.errors import RateLimited

if TYPE_CHECKING:
    from service.access.counters import Count, Counters

WINDOW_S = 60
USUAL_ANSWER = 500
"""Tokens reserved for an answer without a limit: the native API's default."""
_SOON_S = 1.0  # until one of a key's streams may have ended


class ExpectedUsage(NamedTuple):
    """The tokens that a generation is expected to use."""

    input: int = 0
    output: int = USUAL_ANSWER


class Spent(NamedTuple):
    """The tokens that a generation used, as Bedrock's quotas count them: reads from a cache are free.

    `input` None: calls were sent and none was accepted. `continues`: another process continues the generation.
    """

    input: int | None
    output: int
    continues: bool = False


class LimitState(NamedTuple):
    """The state of one limit of a key. `reset_s` None: time alone does not restore it."""

    name: str
    limit: int
    remaining: int
    reset_s: int | None


class Grant:
    """A charged generation: it counts as one of its key's streams until it is settled or withdrawn."""

    def __init__(self, rates: "Rates", caller: Caller, wanted: ExpectedUsage, *, taken_over: bool = False) -> None:
        self.caller = caller
        self.taken_over = taken_over
        self.wanted = wanted
        self.tokens: Count | None = None
        self.request: Count | None = None
        self._rates = rates
        self._closed = False

    def settle(self, spent: Spent) -> None:
        """Replace the reservation by the usage; the generation has ended."""
        if not self._closed:
            self._closed = True
            read = self.wanted.input if spent.input is None else spent.input  # the prompt, if no call was accepted
            covered = self.wanted.output if spent.continues or self.taken_over else 0
            self._rates.settle(self, read + max(covered, spent.output))

    def withdraw(self) -> None:
        """Return everything that was charged: the generation did not start."""
        if not self._closed:
            self._closed = True
            self._rates.withdraw(self)


class PendingGrant:
    """Withdraws the grant of a generation that fails to start inside the block."""

    grant: Grant | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.grant:
            self.grant.withdraw()


class Rates:
    """The usage of a service's keys."""

    def __init__(self, journal_url: str, tasks: asyncio.TaskGroup) -> None:
        self._url = journal_url
        self._tasks = tasks
        self._counters: Counters | None = None
        self._opening = asyncio.Lock()
        self._running: Counter[str] = Counter()
        self._known: dict[tuple[str, str], Count] = {}

    async def close(self) -> None:
        """Close the connections for counting."""
        if self._counters:
            await self._counters.close()

    def refusal(self, caller: Caller) -> RateLimited | None:
        """Return the error of a key that is known to exceed a limit, without a call to the server."""
        if caller.streams is not None and self._running[caller.id] >= caller.streams:
            most = f"{caller.streams} concurrent generation{'s' * (caller.streams != 1)}"
            return RateLimited(
                "streams", f"Limit reached: {most} for this key.", retry_after=_SOON_S if caller.streams else None
            )
        return self._exhausted_requests(caller)

    def _exhausted_requests(self, caller: Caller) -> RateLimited | None:
        if caller.requests_per_minute is not None and (known := self._known.get((caller.id, "requests"))):
            spent = known.used >= caller.requests_per_minute and not known.over
            return _request_limit_reached(caller, known) if spent else None
        return None

    async def admit(self, caller: Caller, wanted: ExpectedUsage) -> Grant:
        """Charge a new generation to its key.

        Raises:
            RateLimited: it exceeds a limit, and nothing was charged.
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

    async def charge_request(self, caller: Caller) -> None:
        """Charge a call to Bedrock that is not a generation as one request of its key.

        Raises:
            RateLimited: the key has no request left, and nothing was charged.
        """
        if refusal := self._exhausted_requests(caller):
            raise refusal
        await self._charge_request(caller)

    def take_over(self, caller: Caller, answer_tokens: int) -> Grant:
        """Count a generation that another process has charged, with `answer_tokens` reserved for its output."""
        self._running[caller.id] += 1
        return Grant(self, caller, ExpectedUsage(0, answer_tokens), taken_over=True)

    async def _charge_request(self, caller: Caller) -> "Count | None":
        if (most := caller.requests_per_minute) is None:
            return None
        count = await self._add("requests", most, caller.id, 1)
        if count.used > most:
            self._tasks.create_task(self._refund_request(caller, count))
            raise _request_limit_reached(caller, count)
        return count

    async def _charge(self, grant: Grant) -> None:
        caller, wanted = grant.caller, grant.wanted
        grant.request = await self._charge_request(caller)
        if (most := caller.tokens_per_minute) is not None:
            if wanted.input > most:
                too_long = (
                    f"This request has about {wanted.input} tokens; this key is limited to {most} tokens per minute."
                )
                raise RateLimited("tokens", too_long)
            grant.tokens = count = await self._add("tokens", most, caller.id, sum(wanted))
            before = count.used - sum(wanted)
            if before >= most or before + wanted.input > most:
                spent = f"Rate limit reached: {most} tokens per minute for this key; {before} are used or reserved."
                raise RateLimited("tokens", spent, retry_after=_retry_after_s(count))

    async def _add(self, name: str, most: int, caller_id: str, amount: int) -> "Count":
        count = await (await self._open()).add(name, most, caller_id, amount)
        self._known[caller_id, name] = count
        return count

    async def _open(self) -> "Counters":
        """Load the library on first use: most services have no limits, and it takes a tenth of a second."""
        async with self._opening:
            if self._counters is None:
                self._counters = await asyncio.to_thread(_load, self._url)
        return self._counters

    def settle(self, grant: Grant, used: int) -> None:
        """Correct what was charged for a generation by its usage."""
        self._ended(grant.caller.id)
        if grant.caller.tokens_per_minute and used != sum(grant.wanted):
            self._tasks.create_task(self._correct(grant, used))

    def withdraw(self, grant: Grant) -> None:
        """Return what was charged."""
        self._ended(grant.caller.id)
        if grant.request or grant.tokens:
            self._tasks.create_task(self._refund(grant))

    def _ended(self, caller_id: str) -> None:
        self._running[caller_id] -= 1
        if self._running[caller_id] <= 0:
            del self._running[caller_id]

    async def _correct(self, grant: Grant, used: int) -> None:
        """Return unused reserved tokens; usage beyond the reservation counts, in a later minute if necessary."""
        most, difference = grant.caller.tokens_per_minute or 0, used - sum(grant.wanted)
        counters, corrected = await self._open(), None
        if grant.tokens:
            corrected = await counters.correct("tokens", most, grant.caller.id, difference, grant.tokens)
        if corrected:
            self._known[grant.caller.id, "tokens"] = corrected
        elif difference > 0:
            await self._add("tokens", most, grant.caller.id, difference)

    async def _refund(self, grant: Grant) -> None:
        if grant.request:
            await self._refund_request(grant.caller, grant.request)
        if grant.tokens:
            most = grant.caller.tokens_per_minute
            await self._subtract("tokens", most, grant.caller.id, sum(grant.wanted), grant.tokens)

    async def _refund_request(self, caller: Caller, count: "Count") -> None:
        await self._subtract("requests", caller.requests_per_minute, caller.id, 1, count)

    async def _subtract(self, name: str, most: int | None, caller_id: str, amount: int, count: "Count") -> None:
        counters = await self._open()
        if most and (now := await counters.correct(name, most, caller_id, -amount, count)):
            self._known[caller_id, name] = now

    def limit_states(self, caller: Caller) -> list[LimitState]:
        """Return the state of each limit of a key, as far as this process knows."""
        found: list[LimitState] = []
        for name, most in (("requests", caller.requests_per_minute), ("tokens", caller.tokens_per_minute)):
            if most is not None:
                known = self._known.get((caller.id, name))
                used, left_s = (known.used, known.ends - time.time()) if known else (0, 0.0)
                if left_s <= 0:
                    used, left_s = 0, WINDOW_S
                found.append(LimitState(name, most, min(most, max(0, most - used)), ceil(left_s)))
        if (most := caller.streams) is not None:
            found.append(LimitState("streams", most, max(0, most - self._running[caller.id]), None))
        return found


def _load(journal_url: str) -> "Counters":
    from service.access.counters import Counters

    return Counters(journal_url)


def _request_limit_reached(caller: Caller, count: "Count") -> RateLimited:
    most = caller.requests_per_minute
    return RateLimited(
        "requests",
        f"Rate limit reached: {most} request{'s' * (most != 1)} per minute for this key.",
        retry_after=_retry_after_s(count) if most else None,
    )


def _retry_after_s(count: "Count") -> float:
    return max(1.0, count.ends - time.time())


@asynccontextmanager
async def open_rates(journal_url: str) -> AsyncIterator[Rates]:
    """Count what keys use while the block lasts; leaving it waits for the last corrections."""
    async with asyncio.TaskGroup() as tasks:
        rates = Rates(journal_url, tasks)
        yield rates
    await rates.close()
