"""One call to Bedrock: what it says, sorted into what readers see and what the usage keeps."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

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
from service.engine.usage import GenerationUsage
from service.errors import UpstreamError

if TYPE_CHECKING:
    from service.engine.watchdog import InactivityTimer


Show = Callable[[list[Event], float | None], None]


class Attempt:
    """One call: its leg of the generation, and the way it takes to Bedrock.

    `show` is given each batch, and when it came where some of the answer is in it; `opened` tells of life. `began`: it
    is being made. `silence_s`: how long the model may say nothing before its first piece.
    """

    def __init__(
        self,
        resources: Resources,
        leg: Leg,
        way: AbstractAsyncContextManager[Permit | Unlimited],
        usage: GenerationUsage,
        meter: ProgressMeter,
        listener: GenerationListener,
        *,
        silence_s: float,
        show: Show,
        opened: Callable[[], None],
        began: Callable[[], None],
    ) -> None:
        self.heard = False
        self.began_at: float | None = None
        self.stop: Stop | None = None
        self.usage = usage
        self.show = show
        self._upstream = resources.upstream
        self._watchdog = resources.watchdog
        self._flush_windows = resources.flush_windows
        self._idle_s = resources.settings.idle_timeout
        self._leg = leg
        self._way = way
        self._meter = meter
        self._listener = listener
        self._silence_s = silence_s
        self._opened = opened
        self._made = began
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
            self._task = None  # a cancelled task keeps its error, whose frames keep this attempt: a cycle

    async def _run(self) -> None:
        leg, watchdog = self._leg, self._watchdog
        async with self._way as self._permit:
            self._made()
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
            self.show(events, came)
        else:
            self._answered()
            self._opened()

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
