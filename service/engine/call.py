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
        self.has_content = False
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
        self._since = 0.0  # when the current wait for Bedrock began

    async def run(self) -> None:
        """Call, and read the answer to its end.

        Raises:
            UpstreamError: Bedrock refused, failed or stalled.
            ServiceError: no call was made.
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
                with watchdog.watch(self._silence_s, self._time_out) as self._watch:
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
            self.usage.sent |= error.sent
            if error.aws_code and not self._began_to_answer:  # refused, by status or in the first frame
                self.usage.refuse()
            raise
        except asyncio.CancelledError:
            self.usage.sent = True
            if self._task is None or not self._stalled:
                raise
            self._task.uncancel()
            if self.has_content:
                raise UpstreamError("upstream_stalled") from None
            raise UpstreamError(
                "upstream_stalled", "The model did not begin to answer in time.", retried=False
            ) from None
        finally:
            watch.since = None
            self.usage.waited(self._since)

    def _take(self, batch: list[Delta]) -> FlushWindow | None:
        """Take the deltas of one read, in the step that read them, while the task of the call waits."""
        if self._task is None or self._task.cancelling():
            return None  # the call has been cancelled
        now, window = self.usage.waited(self._since), None
        if batch:
            self._sort(batch, now)
            window = self._flush_windows.window(now)
        self._since = self._watchdog.time()
        if self.has_content and self._watch:
            self._watch.since = self._since
        return window

    def _time_out(self) -> None:
        """Cancel the task: the inactivity timeout has expired."""
        self._stalled = True
        if self._task:
            self._task.cancel()

    def _sort(self, batch: list[Delta], now: float) -> None:
        """Feed the events to the sink as one batch; record the other deltas."""
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
        if came is not None and not self.has_content:
            self._begin()
        if events:
            self.sink.feed(events, came)
        else:
            self._answered()
            self.sink.feed(events, None)

    def _begin(self) -> None:
        self.has_content = True
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
        """Record a delta that is not an event."""
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
