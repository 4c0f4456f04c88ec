"""The producer of one generation: makes attempts and appends their events to the stream log."""

import asyncio
import logging
import random
from contextlib import suppress

from msgspec import structs

from service.access.rates import Spent
from service.answer import fallback_of
from service.bedrock.catalog.resolution import Target
from service.deltas import SHOWN, Done, Event, Failed, Start, Status, Stop, StopReason, TextDelta
from service.engine.attempt import Attempts
from service.engine.call import CallContext
from service.engine.continuation import Leg, next_leg
from service.engine.fallbacks import Fallbacks
from service.engine.listener import CallReason
from service.engine.progress import ProgressMeter
from service.engine.recovery import Continue, Fallback, GiveUp, RecoveryState, Retry, next_step
from service.engine.resources import Resources
from service.engine.retry import Retries, calls_announced
from service.engine.usage import GenerationUsage
from service.errors import ServiceError, UpstreamError
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog
from service.streams.record import State

logger = logging.getLogger(__name__)


class Producer:
    """Runs one generation, from its place in the queue to its last event."""

    def __init__(
        self,
        log: StreamLog,
        target: Target,
        resources: Resources,
        *,
        key: IdempotencyKey | None = None,
        taken_over: bool = False,
    ) -> None:
        self.log = log
        self.taken_over = taken_over
        self._key = key  # unbound unless the generation is admitted
        self._first = self._leg = Leg(log.record.request, target)
        self._resources = resources
        self._settings = resources.settings
        self._loop = asyncio.get_running_loop()
        self._usage = GenerationUsage(resources.watchdog.time, resources.upstream.region)
        self._retries = Retries(resources.settings.max_retries, resources.budget)
        self._meter = ProgressMeter(
            log.record.request.max_tokens, resources.settings.expected_token_rate, resources.watchdog.time
        )
        self._uncommitted: list[Event] | None = None if log.events else []  # events before the commit; None: committed
        self._shown = any(isinstance(event, SHOWN) for event in log.events)
        self._stop: Stop | None = None
        self._why: ServiceError | None = None
        self._stopping = self.moved = False
        self._task: asyncio.Task[None] | None = None
        self.admitted = False
        record = log.record
        self.listener = resources.listener.generation(
            log.stream_id, record.caller, record.dialect, record.request, target.model.id, taken_over=taken_over
        )
        self._fallbacks = Fallbacks(record.fallbacks, self._first, resources.upstream)
        self._original_error: ServiceError | None = None  # of the requested model, once a fallback is called
        context = CallContext(resources, self, self._meter, self._retries, self.listener)
        self._attempts = Attempts(context, record.caller, self._usage)

    async def run(self) -> None:
        """Run to the end. The log gets exactly one last event in every case."""
        self._task = asyncio.current_task()
        commit = self._loop.call_later(self._settings.commit_after, self._commit)
        try:
            if not self._stopping:
                await self._generate()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except ServiceError as error:
            self._why = self._why or error.forget_frames()
        except Exception:
            logger.exception("A generation failed", extra={"stream_id": self.log.stream_id})
            self._why = ServiceError("internal")
        finally:
            commit.cancel()
            del self._attempts  # its sink is this producer: a reference cycle
        if self.moved:
            self._usage.cut(self._meter.attempt_tokens)
            self.listener.moved()
        else:
            await self._free_key()
            self._finish()

    async def _free_key(self) -> None:
        """Unbind the key of a generation that was not admitted, before readers receive the error."""
        if self._key:
            self._task = None  # nothing is left to cancel
            with suppress(ServiceError):
                await self._resources.journal.unbind(self._key)

    def stop(self, why: ServiceError | None = None) -> None:
        """End the generation now: failed with `why`, or cancelled. Bedrock's connection is closed at once."""
        if self._stopping or self.log.end:
            return
        self._stopping, self._why = True, why
        if self._task:
            self._task.cancel()

    def hand_over(self) -> None:
        """Stop without a last event: another process continues the stream."""
        self.moved = True
        self.stop()

    @property
    def spent(self) -> Spent:
        """The tokens of all attempts; output that Bedrock did not report is our count."""
        usage = self._usage
        output = usage.total.output_tokens
        return Spent(
            input=usage.charged_input if usage.sent else 0,
            output=self._meter.total_tokens if output is None else output,
            continues=self.moved,
        )

    async def _generate(self) -> None:
        with self._resources.watchdog.watch(self._settings.request_timeout, self._too_late) as deadline:
            deadline.since = self._loop.time()
            async with self._resources.places.place(self.log.record.caller, self._queued, admitted=self.taken_over):
                self._key, self.admitted = None, True
                self.listener.admitted()
                self._set_state("starting")
                if self.taken_over:
                    await self._restore_fallback()
                if self._shown:
                    self._continue()
                while not await self._attempt():
                    pass

    async def _restore_fallback(self) -> None:
        """Call the model that the previous process had reached."""
        model_id = fallback_of(self.log.events)
        if model_id and (leg := await self._fallbacks.restore(model_id)):
            self._first = self._leg = leg

    def _continue(self) -> None:
        """Continue what another process has begun and shown."""
        processes = self.log.epoch - 1  # that ran it before, each with a first call
        self._retries.take_over(processes + calls_announced(self.log.events))
        self._usage.begin()
        for event in self.log.events:
            self._meter.count(event)
        self._usage.cut(self._meter.total_tokens)
        leg = self._continuation()
        if leg is None:
            raise ServiceError("interrupted")
        self._leg = leg
        self.listener.called_again(self._reason, "interrupted")
        self._set_state("continuing")

    @property
    def _reason(self) -> CallReason:
        """Why the next call is made."""
        mark = self._leg.mark
        return "retry" if mark is None else "restart" if mark.state == "restarted" else "continuation"

    def _too_late(self) -> None:
        self.stop(ServiceError("deadline_exceeded"))

    def _queued(self, place: int) -> None:
        self.listener.queued(place)
        self._set_state("queued", Status("queued", place=place))

    def queued(self, position: int) -> None:
        """Report the position in the model's queue, unless readers have a part of the answer."""
        if not self._shown:
            self._set_state("queued", Status("queued", place=position))

    def begun(self) -> None:
        """Note that the call has left the model's queue."""
        if self.log.state == "queued":
            self._set_state("starting")

    async def _attempt(self) -> bool:
        """Make one attempt. False: it failed, and the next is due."""
        leg, unshown = self._leg, not self._shown
        try:
            attempt = await self._attempts.call(
                leg, unshown=unshown, alternative=unshown and await self._fallbacks.prepare()
            )
        except ServiceError as error:
            self._usage.cut(self._meter.attempt_tokens)
            await self._recover(error.forget_frames())
            return False
        self._usage.finished()
        self._stop = attempt.stop
        if leg.seam and (rest := leg.seam.close()):
            self._append([TextDelta(0, rest)], "continuing")
        return True

    async def _recover(self, error: ServiceError) -> None:
        """Prepare the next attempt and wait for its time, or give up."""
        if self._stopping:
            raise asyncio.CancelledError
        self._log_failure(error)
        if self._shown:
            await self._all_shown()
        match next_step(error, self._recovery_state()):
            case Retry(delay_s):
                await self._pause(self._first, error, delay_s)
            case Continue(leg, delay_s):
                await self._pause(leg, error, delay_s)
            case Fallback():
                await self._fall_back(error)
            case GiveUp(last):
                raise last

    def _recovery_state(self) -> RecoveryState:
        continuation = self._continuation() if self._shown else None
        return RecoveryState(
            shown=self._shown,
            continuation=continuation,
            blocked=self._attempts.is_refused(continuation or self._first),
            fallback_ready=self._fallbacks.ready,
            retries=self._retries.made,
            max_retries=self._retries.most,
            budget_left=self._retries.budget_left,
            left_s=self._settings.request_timeout - self._usage.elapsed_s,
            original=self._original_error,
            jitter=random.random(),  # noqa: S311 - spreads retries, keeps no secret
        )

    def _continuation(self) -> Leg | None:
        policy = self.log.record.policies.on_interruption
        return next_leg(policy, self._first, self.log.events, self._meter.total_tokens)

    async def _fall_back(self, error: ServiceError) -> None:
        """Change to the next model."""
        if leg := await self._fallbacks.next(error.message):
            self._original_error = self._original_error or error
            self._first = self._leg = structs.replace(leg, mark=None)
            self.listener.called_again("fallback", error.code.name)
            self._set_state("starting", leg.mark)

    async def _pause(self, leg: Leg, error: ServiceError, delay_s: float) -> None:
        """Wait for the time of the next attempt, and report the wait to readers."""
        self._retries.spend()
        self._leg = leg
        self.listener.called_again(self._reason, error.code.name, delay_s)
        status = Status(
            "reconnecting" if self._shown else "retrying",
            attempt=self._retries.attempts + 1,
            delay=round(delay_s, 3),
            message=error.message,
        )
        self._set_state("continuing" if self._shown else "starting", status)
        await self._attempts.rest(leg, delay_s)

    async def _all_shown(self) -> None:
        """Wait until the journal has published what was appended: a continuation starts from all of it."""
        while len(self.log.events) < self.log.numbered:
            await self.log.wait(len(self.log.events))

    def _log_failure(self, error: ServiceError) -> None:
        fields: dict[str, object] = {"stream_id": self.log.stream_id, "attempt": self._retries.attempts}
        if isinstance(error, UpstreamError):
            fields["aws_code"] = error.aws_code
            fields["aws_request_id"] = error.request_id
            fields["original_status"] = error.original_status
        logger.info("An attempt failed: %s", error.code.name, extra=fields)

    def feed(self, events: list[Event], received: float | None) -> None:
        """Append a batch to the log, with the progress where that is due. An empty batch begins the stream."""
        if not events:
            self._commit()
            return
        if received is not None:
            self.log.received_at = received
            self.listener.shown(received)
            self._shown = True
            if leg_mark := self._leg.mark:
                events = [leg_mark, *events]
                self._leg = structs.replace(self._leg, mark=None)
            if progress := self._meter.tick(received):
                events.append(progress)
        if self._leg.seam:
            events = self._leg.seam.join(events)
        if events:  # the seam may have removed all of it
            self._append(events, "streaming")

    def _set_state(self, state: State, status: Status | None = None) -> None:
        """Set the state, and send a status to readers: at once, or at the commit."""
        self.log.state = state
        if status is None:
            return
        self.log.received_at = None  # the next event is not Bedrock's
        if self._uncommitted is None:
            self._append([status], state)
        else:
            self._uncommitted.append(status)

    def _commit(self) -> None:
        """Begin the stream for readers, if it has not begun."""
        if self._uncommitted is not None:
            self._append([], self.log.state)

    def _append(self, events: list[Event], state: State) -> None:
        if self._uncommitted is not None:
            record = self.log.record
            start = Start(record.stream_id, self._leg.target.model_id, self._leg.target.api, self._settings.backend)
            events = [start, *self._uncommitted, *events]
            self._uncommitted = None
        self._resources.journal.append(self.log, events, state)

    def _finish(self) -> None:
        self.log.received_at = None
        self._usage.cut(self._meter.attempt_tokens)
        usage = self._usage.total
        metrics = self._usage.metrics(self._retries.attempts, self._leg.target.model_id)
        end: Done | Failed
        if self._why:
            end = self._failure(self._why)
            self._append([end], "failed")
        else:
            stop = Stop(StopReason.CANCELLED, None) if self._stopping else self._stop or Stop(StopReason.OTHER, None)
            end = Done(stop.reason, stop.raw, usage, metrics, stop.sequence)
            progress = None if self._stopping else self._meter.finish()
            self._append([progress, end] if progress else [end], "cancelled" if self._stopping else "done")
        self.listener.ended(end, usage, metrics, self.log.numbered)
        self._resources.on_end(self.log, end)

    def _failure(self, error: ServiceError) -> Failed:
        return Failed(
            code=error.code.name,
            message=error.message,
            status=error.status,
            retryable=error.retryable,
            partial=self._shown,
            retry_after=error.retry_after,
            retried=self._retries.attempts > 1,
        )
