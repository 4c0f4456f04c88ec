"""Bulkheads: per model, a learned concurrency limit with a queue, and a circuit breaker.

A model is its base id: Bedrock counts the calls of a model across inference profiles.
"""

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from time import monotonic
from types import TracebackType
from typing import Self

from msgspec import Struct

from service.bedrock.catalog.resolution import Target
from service.engine.adaptive_limit import AdaptiveLimit
from service.engine.admission import Slots
from service.engine.breaker import Breaker, State, Trial
from service.errors import ServiceError, UpstreamError
from service.generation import Request
from service.settings import Settings

logger = logging.getLogger(__name__)

_MAX_BULKHEADS = 512  # clients may name models that do not exist
_NO_LIMIT = sys.maxsize
_OPEN = "Bedrock keeps failing for this model, so it is left alone for a moment."
_FULL = "Bedrock is throttling this model, and too many wait for it already."
_LATE = "Bedrock is throttling this model, and the wait for it took too long."
_BUSY = "Bedrock is throttling this model."


class Circuit(Struct, frozen=True):
    """The state of a bulkhead. `limit` None: unlimited."""

    model_id: str
    region: str | None
    state: State
    limit: int | None
    in_flight: int
    queued: int


class Permit:
    """Holds one of the model's concurrency slots for a call and reports its outcome to the breaker.

    A class instead of a generator: a generator and an exit stack took 500 bytecodes of each request.
    """

    def __init__(self, bulkhead: "Bulkhead", place: AbstractAsyncContextManager[None], *, wait: bool) -> None:
        self._bulkhead = bulkhead
        self._place = place
        self._wait = wait
        self.trial = Trial(probe=False)
        self.began = 0.0
        self.judged = False

    async def __aenter__(self) -> Self:
        self._bulkhead.check()
        if self._bulkhead.full and not self._wait:
            raise UpstreamError("throttled", _BUSY, retried=False)
        try:
            await self._place.__aenter__()
        except ServiceError as error:
            raise self._bulkhead.crowded(error) from None
        try:
            self.trial = self._bulkhead.admit()
        except BaseException:
            await self._place.__aexit__(None, None, None)
            raise
        self.began = self._bulkhead.clock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UpstreamError):
            self._bulkhead.failed(error, self)
        elif error is None:
            self.answered()
        self._bulkhead.dropped(self.trial)
        await self._place.__aexit__(kind, error, trace)

    def answered(self) -> None:
        """Note that Bedrock has begun to respond; later calls have no effect."""
        if not self.judged:
            self.judged = True
            self._bulkhead.answered(self.trial)


class Unlimited:
    """A bulkhead without limits, for calls with an injected fault: their outcomes do not count."""

    refuses = False
    free = True

    def check(self) -> None:
        """Reject nothing."""

    async def rest(self, seconds: float) -> None:
        """Wait before another attempt."""
        await asyncio.sleep(seconds)

    def enter(self, *_: object, **__: object) -> AbstractAsyncContextManager["Unlimited"]:
        """Admit a call."""
        return nullcontext(self)

    def answered(self) -> None:
        """Do nothing."""


class Bulkhead:
    """The concurrency limit and circuit breaker of one model."""

    def __init__(self, model_id: str, settings: Settings, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._model_id = model_id
        self._guarded = settings.breaker
        self._breaker = Breaker(self.clock, self._changed)
        self._limit = AdaptiveLimit(self.clock)
        # A call that waits here holds a stream slot: one model's queue must not take all of them.
        line = min(settings.max_queue, settings.max_streams // 2)
        self._places = Slots(_NO_LIMIT, line, settings.queue_timeout)
        self._opening = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether it can be evicted."""
        return not (self._places.taken or self._breaker.is_open or self._limit.limit)

    @property
    def full(self) -> bool:
        """Whether another call would have to wait."""
        self._resize()
        return self._places.taken >= self._places.size

    @property
    def refuses(self) -> bool:
        """Whether the breaker rejects calls now."""
        return self._guarded and self._breaker.wait_s > 0

    @property
    def free(self) -> bool:
        """Whether there is room for an optional call."""
        return not (self._breaker.is_open or self.full)

    def circuit(self, region: str | None) -> Circuit:
        """Describe the current state."""
        limit = self._limit.limit
        return Circuit(
            self._model_id, region, self._breaker.state, limit, self._places.taken, self._places.queued
        )  # fmt: skip

    def check(self) -> None:
        """Reject a call at once if the breaker is open.

        Raises:
            UpstreamError: `upstream_unavailable`, it is open.
        """
        if self.refuses:
            raise self._refusal()

    async def rest(self, seconds: float) -> None:
        """Wait before another attempt, or until the breaker opens."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._opening.wait()

    def enter(self, owner: str, on_queued: Callable[[int], None], *, wait: bool = True) -> Permit:
        """Return a permit for a call, for an `async with`; entering it waits in the queue if the limit is reached.

        Entering raises:
            UpstreamError: `upstream_unavailable`, the breaker is open; `throttled`, it would have to `wait`.
            ServiceError: `overloaded`, too many wait, or the wait took too long.
        """
        return Permit(self, self._places.place(owner, on_queued), wait=wait)

    def crowded(self, error: ServiceError) -> ServiceError:
        """Convert the queue's rejection into the bulkhead's."""
        return ServiceError("overloaded", _FULL if self._places.full else _LATE, retry_after=error.retry_after)

    def admit(self) -> Trial:
        """Admit a call.

        Raises:
            UpstreamError: the breaker has opened while it waited.
        """
        trial = self._breaker.admit() if self._guarded else Trial(probe=False)
        if trial is None:
            raise self._refusal()
        return trial

    def answered(self, trial: Trial) -> None:
        """Note that Bedrock has begun to respond to a call."""
        if self._guarded:
            self._breaker.answered(trial)
        self._limit.passed(self._places.taken)
        self._resize()

    def dropped(self, trial: Trial) -> None:
        """Note that a call has ended, with any outcome."""
        self._breaker.dropped(trial)

    def failed(self, error: UpstreamError, permit: Permit) -> None:
        """Note that a call failed."""
        trial = permit.trial
        if error.code.name == "throttled":
            self._limit.throttled(permit.began, self._places.taken)
            self._resize()
            if self._breaker.is_open:
                self._breaker.answered(trial)  # Bedrock responds; the limit handles the throttling
        elif self._guarded and error.breaker:
            self._breaker.failed(trial)
        permit.judged = True

    def _resize(self) -> None:
        size = self._limit.limit or _NO_LIMIT
        if size != self._places.size:
            if size < self._places.size:
                logger.info("Bedrock throttles %s: %d calls at once from now on", self._model_id, size)
            self._places.resize(size)

    def _refusal(self) -> UpstreamError:
        wait_s = max(1.0, self._breaker.wait_s)
        return UpstreamError("upstream_unavailable", _OPEN, retry_after=wait_s, retried=False)

    def _changed(self) -> None:
        if self._breaker.is_open:
            logger.warning("Bedrock keeps failing for %s: the breaker is open", self._model_id)
            self._opening.set()
            self._opening = asyncio.Event()
        else:
            logger.warning("Bedrock answers for %s again: the breaker is closed", self._model_id)


class Bulkheads:
    """All bulkheads of this process, created on first use."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._bulkheads: OrderedDict[str, Bulkhead] = OrderedDict()

    def of(self, target: Target, request: Request) -> Bulkhead | Unlimited:
        """Return the bulkhead of a target."""
        if not _counts(request.fault):
            return _UNLIMITED
        model_id = target.base_id
        if (bulkhead := self._bulkheads.get(model_id)) is None:
            self._make_room()
            bulkhead = self._bulkheads[model_id] = Bulkhead(model_id, self._settings, self._clock)
        self._bulkheads.move_to_end(model_id)
        return bulkhead

    def circuits(self, region: str | None) -> list[Circuit]:
        """Describe all bulkheads."""
        return [bulkhead.circuit(region) for bulkhead in self._bulkheads.values()]

    def _make_room(self) -> None:
        """Evict the least recently used idle bulkhead."""
        if len(self._bulkheads) >= _MAX_BULKHEADS:
            idle = next((model_id for model_id, bulkhead in self._bulkheads.items() if bulkhead.idle), None)
            if idle is not None:
                del self._bulkheads[idle]


_UNLIMITED = Unlimited()


def _counts(fault: str | None) -> bool:
    """Whether a call counts: one with a fault only if the fault has `counted` (docs/local.md)."""
    return fault is None or "counted" in (parameter.strip() for parameter in fault.split(";")[1:])
