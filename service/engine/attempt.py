"""The attempts of one generation: each within its model's bulkhead, and hedged with a second call where configured."""

import asyncio

from service.engine.call import CallContext, ModelCall
from service.engine.continuation import Leg
from service.engine.hedge import Hedge
from service.engine.usage import GenerationUsage


class Attempts:
    """Makes the attempts of one generation, for the queue's `owner`."""

    def __init__(self, context: CallContext, owner: str, usage: GenerationUsage) -> None:
        self._context = context
        self._owner = owner
        self._usage = usage
        self._clock = asyncio.get_running_loop().time
        self._started = 0.0

    async def call(self, leg: Leg, *, unshown: bool, alternative: bool) -> ModelCall:
        """Make one attempt, and return its call after a complete answer.

        `unshown`: readers have nothing yet, so a second call may be made beside a silent one. `alternative`: a fallback
        is ready, so this model gets less time and no place in a queue.

        Raises:
            UpstreamError: Bedrock refused, failed or stalled; the breaker is open.
            ServiceError: no call was made.
        """
        self._started = self._clock()
        resources, retries = self._context.resources, self._context.retries
        settings = resources.settings
        bulkhead = resources.bulkheads.of(leg.target, leg.request)
        silence_s = settings.first_event_timeout
        if alternative:
            silence_s = min(silence_s, settings.fallback_after)
        permit = bulkhead.enter(self._owner, self._context.sink.queued, wait=not alternative)
        first = ModelCall(self._context, leg, permit, self._usage, silence_s=silence_s, begin=self._begin)
        if settings.hedge_after is None or not unshown:
            await first.run()
            return first

        def second() -> ModelCall | None:
            if not (bulkhead.free and retries.may_hedge()):
                return None
            self._context.listener.called_again("hedge", "upstream_stalled")
            usage = GenerationUsage(self._clock, resources.upstream.region)

            def begin() -> None:
                retries.begin()
                usage.begin()

            permit = bulkhead.enter(self._owner, _ignore_position, wait=False)
            return ModelCall(self._context, leg, permit, usage, silence_s=silence_s, begin=begin)

        return await Hedge(first, second, self._usage, after_s=settings.hedge_after).run()

    async def rest(self, leg: Leg, delay_s: float) -> None:
        """Wait before another attempt, or until the breaker opens."""
        since = self._clock()
        await self._context.resources.bulkheads.of(leg.target, leg.request).rest(delay_s)
        self._usage.waited(since)

    def is_refused(self, leg: Leg) -> bool:
        """Whether the breaker rejects a call now."""
        return self._context.resources.bulkheads.of(leg.target, leg.request).refuses

    def _begin(self) -> None:
        self._usage.waited(self._started)  # in the bulkhead's queue
        self._context.retries.begin()
        self._usage.begin()
        self._context.meter.begin_attempt()
        self._context.sink.begun()


def _ignore_position(_: int) -> None:
    """Ignore a queue position: a hedged call does not wait in the queue."""
