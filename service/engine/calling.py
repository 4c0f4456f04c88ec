"""How one generation calls Bedrock: within its bulkhead and the inactivity timeout, hedged where configured."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from service.engine.attempt import Attempt, Show
from service.engine.bulkhead import Permit, Unlimited
from service.engine.continuation import Leg
from service.engine.hedge import Hedge
from service.engine.listener import GenerationListener
from service.engine.progress import ProgressMeter
from service.engine.resources import Resources
from service.engine.retry import Retries
from service.engine.usage import GenerationUsage


class Calling:
    """One generation's calls. `queued` is told the place in the bulkhead's line, `begun` that a call is being made."""

    def __init__(
        self,
        resources: Resources,
        owner: str,
        usage: GenerationUsage,
        meter: ProgressMeter,
        retries: Retries,
        listener: GenerationListener,
        *,
        show: Show,
        opened: Callable[[], None],
        queued: Callable[[int], None],
        begun: Callable[[], None],
    ) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._owner = owner
        self._usage = usage
        self._meter = meter
        self._retries = retries
        self._listener = listener
        self._show = show
        self._opened = opened
        self._queued = queued
        self._begun = begun
        self._clock = asyncio.get_running_loop().time
        self._came = 0.0

    async def call(self, leg: Leg, *, unshown: bool, alternative: bool) -> Attempt:
        """Make one attempt, and return it when it has come to its end.

        `unshown`: the reader has nothing yet, so that a second call may be made beside a silent one. `alternative`:
        there is another model to be asked, so this one is not waited for long.

        Raises:
            UpstreamError: Bedrock refused, broke off or fell silent; the breaker is open.
            ServiceError: it did not come to a call.
        """
        self._came = self._clock()
        bulkhead = self._resources.bulkheads.of(leg.target, leg.request)
        silence_s = self._settings.first_event_timeout
        if alternative:
            silence_s = min(silence_s, self._settings.fallback_after)
        way = bulkhead.enter(self._owner, self._queued, wait=not alternative)
        first = self._attempt(leg, way, self._usage, silence_s, self._begin)
        if self._settings.hedge_after is None or not unshown:
            await first.run()
            return first

        def spare() -> Attempt | None:
            if not (bulkhead.free and self._retries.may_hedge()):
                return None
            self._listener.called_again("hedge", "upstream_stalled")
            usage = GenerationUsage(self._clock, self._resources.upstream.region)
            way = bulkhead.enter(self._owner, _waits_for_nobody, wait=False)
            return self._attempt(leg, way, usage, silence_s, lambda: self._begin_beside(usage))

        return await Hedge(first, spare, self._usage, after_s=self._settings.hedge_after).run()

    async def rest(self, leg: Leg, delay_s: float) -> None:
        """Wait before another attempt, unless there will be none."""
        since = self._clock()
        await self._resources.bulkheads.of(leg.target, leg.request).rest(delay_s)
        self._usage.waited(since)

    def is_refused(self, leg: Leg) -> bool:
        """Whether a call would not even be made."""
        return self._resources.bulkheads.of(leg.target, leg.request).refuses

    def _attempt(
        self,
        leg: Leg,
        way: AbstractAsyncContextManager[Permit | Unlimited],
        usage: GenerationUsage,
        silence_s: float,
        began: Callable[[], None],
    ) -> Attempt:
        return Attempt(
            self._resources,
            leg,
            way,
            usage,
            self._meter,
            self._listener,
            silence_s=silence_s,
            show=self._show,
            opened=self._opened,
            began=began,
        )

    def _begin(self) -> None:
        self._usage.waited(self._came)  # for its turn: Bedrock takes no more at once
        self._retries.begin()
        self._usage.begin()
        self._meter.begin_attempt()
        self._begun()

    def _begin_beside(self, usage: GenerationUsage) -> None:
        self._retries.begin()
        usage.begin()


def _waits_for_nobody(_: int) -> None:
    """Mind no place: a second call does not wait for one."""
