"""One call to Bedrock: what it says, sorted into what readers see and what the account keeps."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from service.bedrock.catalog.resolution import Target
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
from service.engine.listener import CallListener, GenerationListener, told
from service.engine.parts import Parts
from service.engine.progress import ProgressMeter
from service.engine.usage import Account
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
        parts: Parts,
        leg: Leg,
        way: AbstractAsyncContextManager[Permit | Unlimited],
        account: Account,
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
        self.account = account
        self.show = show
        self._upstream = parts.upstream
        self._watchdog = parts.watchdog
        self._pace = parts.pace
        self._idle_s = parts.settings.idle_timeout
        self._leg = leg
        self._way = way
        self._meter = meter
        self._listener = listener
        self._silence_s = silence_s
        self._opened = opened
        self._made = began
        self._task: asyncio.Task[object] | None = None
        self._watch: InactivityTimer | None = None
        self._passage: Permit | Unlimited | None = None
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
        async with self._way as self._passage:
            self._made()
            self.began_at = self._since = watchdog.time()
            call = self._upstream.open(leg.request, leg.target, prefill=leg.seam.prefill if leg.seam else "")
            with told(self._call(leg.target)) as listener, watchdog.watch(self._silence_s, self._silence) as watch:
                self._watch, watch.since = watch, self._since
                try:
                    async with call as answer:
                        listener.answered(answer.request_id)
                        self.account.accept(leg.prompt_tokens)
                        await answer.follow(self._take)
                except UpstreamError as error:
                    self._note_failure(error)
                    raise
                except asyncio.CancelledError:
                    self.account.sent = True
                    if self._task is None or not self._stalled:
                        raise
                    self._task.uncancel()
                    raise self._stall() from None  # in here: the listener and the breaker are to hear of it
                finally:
                    watch.since = None
                    self.account.waited(self._since)

    def _take(self, batch: list[Delta]) -> FlushWindow | None:
        """Take what one read brought, in the step that read it: the task that runs the attempt waits for its end."""
        if self._task is None or self._task.cancelling():
            return None  # it is over, and will hear of it in a moment
        now, window = self.account.waited(self._since), None
        if batch:
            self._sort(batch, now)
            window = self._pace.window(now)
        self._since = self._watchdog.time()
        if self.heard and self._watch:
            self._watch.since = self._since
        return window

    def _note_failure(self, error: UpstreamError) -> None:
        """Tell a call that was refused from one that was accepted, whether by status or by the stream's first frame."""
        self.account.sent |= error.sent
        if error.aws_code and not self._began_to_answer:
            self.account.refuse()

    def _call(self, target: Target) -> CallListener:
        return self._listener.call(target.model_id, target.model.id, operation_of(target))

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
        self.account.first_token()
        if self._watch:
            self._watch.limit_s = self._idle_s
            self._watchdog.mind(self._watch)

    def _answered(self) -> None:
        self._began_to_answer = True
        if self._passage:
            self._passage.answered()

    def _note(self, delta: Usage | Stop | Timing | Opened | Unknown) -> None:
        """Keep what is no event of its own."""
        match delta:
            case Usage():
                self.account.use(delta)
                if delta.output_tokens is not None:
                    self._meter.report(delta.output_tokens)
            case Stop():
                self.stop = delta
            case Timing():
                self.account.time(delta)
            case Unknown():
                self.account.unknown(delta.kind)
