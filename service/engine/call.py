"""One call to Bedrock: what it says, sorted into what readers see and what the usage keeps."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from service.bedrock.upstream import operation_of
from service.deltas import (
    SHOWN,
    Delta,
    Event,
    GuardrailTrace,
    Opened,
    Stop,
    TextDelta,
    Timing,
    Unknown,
    Usage,
)
from service.engine.bulkhead import Permit, Unlimited
from service.engine.continuation import Leg
from service.engine.flush_window import FlushWindow
from service.engine.listener import CallListener, GenerationListener, outcome_of
from service.engine.progress import ProgressMeter
from service.engine.resources import Resources
from service.engine.retry import Retries
from service.engine.usage import GenerationUsage
from service.errors import UpstreamError

if TYPE_CHECKING:
    from service.engine.watchdog import InactivityTimer


class Sink(Protocol):
    """Takes what the calls of one generation bring. Each method returns at once: it runs in the step that read."""

    def feed(self, events: list[Event], received: float | None) -> None:
        """Take a batch. Empty: Bedrock has begun to respond. `received`: when its content came."""

    def queued(self, position: int) -> None:
        """Note that the call waits for a permit of its model."""

    def begun(self) -> None:
        """Note that the call is being made."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the calls of one generation share."""

    resources: Resources
    sink: Sink
    meter: ProgressMeter
    retries: Retries
    listener: GenerationListener


class ModelCall:
    """One call to Bedrock, made with `permit`. `begin` runs first; `silence_s` bounds the wait for content."""

    def __init__(
        self,
        context: CallContext,
        leg: Leg,
        permit: AbstractAsyncContextManager[Permit | Unlimited],
        usage: GenerationUsage,
        *,
        silence_s: float,
        begin: Callable[[], None],
    ) -> None:
        resources = context.resources
        self.heard = False
        self.began_at: float | None = None
        self.stop: Stop | None = None
        self.usage = usage
        self.sink = context.sink
        self._upstream = resources.upstream
        self._watchdog = resources.watchdog
        self._flush_windows = resources.flush_windows
        self._idle_s = resources.settings.idle_timeout
        self._leg = leg
        self._entering = permit
        self._meter = context.meter
        self._listener = context.listener
        self._silence_s = silence_s
        self._begin_call = begin
        self._task: asyncio.Task[object] | None = None
        self._watch: InactivityTimer | None = None
        self._permit: Permit | Unlimited | None = None
        self._stalled = False
        self._began_to_answer = False
        self._since = 0.0  # when the wait for Bedrock began that is under way

    async def run(self) -> None:
        """Call, and read the answer to its end.

        Raises:
            UpstreamError: Bedrock refused, broke off or fell silent.
            ServiceError: it did not come to the call.
        """
        self._task = asyncio.current_task()
        try:
            await self._run()
        finally:
            self._task = None  # a cancelled task keeps its error, whose frames keep this call: a cycle

    async def _run(self) -> None:
        leg, watchdog = self._leg, self._watchdog
        async with self._entering as self._permit:
            self._begin_call()
            self.began_at = self._since = watchdog.time()
            target = leg.target
            listener = self._listener.call(target.model_id, target.model.id, operation_of(target))
            try:
                with watchdog.watch(self._silence_s, self._silence) as self._watch:
                    await self._read(self._watch, listener)
            except BaseException as error:
                listener.ended(*outcome_of(error))
                raise
            listener.ended("ok")

    async def _read(self, watch: "InactivityTimer", listener: CallListener) -> None:
        leg = self._leg
        call = self._upstream.open(leg.request, leg.target, prefill=leg.seam.prefill if leg.seam else "")
        watch.since = self._since
        try:
            async with call as answer:
                listener.answered(answer.request_id)
                self.usage.accept(leg.prompt_tokens)
                await answer.follow(self._take)
        except UpstreamError as error:
            self._note_failure(error)
            raise
        except asyncio.CancelledError:
            self.usage.sent = True
            if self._task is None or not self._stalled:
                raise
            self._task.uncancel()
            raise self._stall() from None
        finally:
            watch.since = None
            self.usage.waited(self._since)

    def _take(self, batch: list[Delta]) -> FlushWindow | None:
        """Take what one read brought, in the step that read it: the task that runs the attempt waits for its end."""
        if self._task is None or self._task.cancelling():
            return None  # it is over, and will hear of it in a moment
        now, window = self.usage.waited(self._since), None
        if batch:
            self._sort(batch, now)
            window = self._flush_windows.window(now)
        self._since = self._watchdog.time()
        if self.heard and self._watch:
            self._watch.since = self._since
        return window

    def _note_failure(self, error: UpstreamError) -> None:
        """Tell a call that was refused from one that was accepted, whether by status or by the stream's first frame."""
        self.usage.sent |= error.sent
        if error.aws_code and not self._began_to_answer:
            self.usage.refuse()

    def _silence(self) -> None:
        """Wake the task out of its wait."""
        self._stalled = True
        if self._task:
            self._task.cancel()

    def _stall(self) -> UpstreamError:
        if self.heard:
            return UpstreamError("upstream_stalled")
        return UpstreamError("upstream_stalled", "The model did not begin to answer in time.", retried=False)

    def _sort(self, batch: list[Delta], now: float) -> None:
        """Pass on the answer's events, one batch as one; keep the rest."""
        events: list[Event] = []
        came: float | None = None
        for delta in batch:
            if type(delta) is TextDelta:  # nearly every delta
                came = now
                events.append(delta)
                self._meter.count_text(delta.text)
            elif isinstance(delta, SHOWN):
                came = now
                events.append(delta)
                self._meter.count(delta)
            elif isinstance(delta, GuardrailTrace):
                events.append(delta)
            else:
                self._note(delta)
        if came is not None and not self.heard:
            self._begin()
        if events:
            self.sink.feed(events, came)
        else:
            self._answered()
            self.sink.feed(events, None)

    def _begin(self) -> None:
        self.heard = True
        self._answered()
        self.usage.first_token()
        if self._watch:
            self._watch.limit_s = self._idle_s
            self._watchdog.mind(self._watch)

    def _answered(self) -> None:
        self._began_to_answer = True
        if self._permit:
            self._permit.answered()

    def _note(self, delta: Usage | Stop | Timing | Opened | Unknown) -> None:
        """Keep what is no event of its own."""
        match delta:
            case Usage():
                self.usage.use(delta)
                if delta.output_tokens is not None:
                    self._meter.report(delta.output_tokens)
            case Stop():
                self.stop = delta
            case Timing():
                self.usage.time(delta)
            case Unknown():
                self.usage.unknown(delta.kind)
