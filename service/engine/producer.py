"""One generation's run: attempts at Bedrock, and what they say into the stream's log."""

import asyncio
import logging
from contextlib import suppress

from msgspec import structs

from service.access.rates import Spent
from service.answer import fallback_of
from service.bedrock.catalog.resolution import Target
from service.deltas import SHOWN, Done, Event, Failed, Start, Status, Stop, StopReason, TextDelta
from service.engine.calling import Calling
from service.engine.continuation import Leg, next_leg
from service.engine.fallbacks import Fallbacks, comes_first, may_help
from service.engine.listener import Turn
from service.engine.parts import Parts
from service.engine.progress import ProgressMeter
from service.engine.retry import Retries, calls_announced, delay_before
from service.engine.usage import Account
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
        parts: Parts,
        *,
        key: IdempotencyKey | None = None,
        taken_over: bool = False,
    ) -> None:
        self.log = log
        self.taken_over = taken_over
        self._key = key  # to be freed, unless the generation is admitted
        self._first = self._leg = Leg(log.record.request, target)
        self._parts = parts
        self._settings = parts.settings
        self._loop = asyncio.get_running_loop()
        self._account = Account(parts.watchdog.time, parts.upstream.region)
        self._retries = Retries(parts.settings.max_retries, parts.budget)
        self._meter = ProgressMeter(
            log.record.request.max_tokens, parts.settings.expected_token_rate, parts.watchdog.time
        )
        self._held: list[Event] | None = None if log.events else []  # what waits for the commit; None: committed
        self._shown = any(isinstance(event, SHOWN) for event in log.events)
        self._stop: Stop | None = None
        self._why: ServiceError | None = None
        self._stopping = self.moved = False
        self._task: asyncio.Task[None] | None = None
        self.admitted = False
        record = log.record
        self.listener = parts.listener.generation(
            log.stream_id, record.caller, record.dialect, record.request, target.model.id, taken_over=taken_over
        )
        self._fallbacks = Fallbacks(record.fallbacks, self._first, parts.upstream)
        self._refusal: ServiceError | None = None  # of the model that was asked for, once another is
        self._calling = Calling(
            parts,
            record.caller,
            self._account,
            self._meter,
            self._retries,
            self.listener,
            show=self._show,
            opened=self._commit,
            queued=self._held_back,
            begun=self._begun,
        )

    async def run(self) -> None:
        """Run to the end. Whatever happens, the log gets exactly one last event."""
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
            del self._calling  # which calls back: a circle that only the collector would find
        if self.moved:
            self._account.cut(self._meter.attempt_tokens)
            self.listener.moved()
        else:
            await self._free_key()
            self._finish()

    async def _free_key(self) -> None:
        """Free the key of a generation that never got its place, before anybody hears of the refusal."""
        if self._key:
            self._task = None  # from here on there is nothing to be stopped
            with suppress(ServiceError):
                await self._parts.journal.unbind(self._key)

    def stop(self, why: ServiceError | None = None) -> None:
        """End the generation now: failed with `why`, or cancelled. Bedrock's connection is closed at once."""
        if self._stopping or self.log.end:
            return
        self._stopping, self._why = True, why
        if self._task:
            self._task.cancel()

    def let_go(self) -> None:
        """End without a last event: another process goes on with the stream."""
        self.moved = True
        self.stop()

    @property
    def spent(self) -> Spent:
        """The tokens of all attempts; an output that was not reported is what we counted."""
        account = self._account
        output = account.usage.output_tokens
        return Spent(
            input=account.charged_input if account.sent else 0,
            output=self._meter.total_tokens if output is None else output,
            continues=self.moved,
        )

    async def _generate(self) -> None:
        with self._parts.watchdog.watch(self._settings.request_timeout, self._too_late) as deadline:
            deadline.since = self._loop.time()
            async with self._parts.places.place(self.log.record.caller, self._queued, admitted=self.taken_over):
                self._key, self.admitted = None, True
                self.listener.admitted()
                self._tell("starting")
                if self.taken_over:
                    await self._come_to_model()
                if self._shown:
                    self._go_on()
                while not await self._attempt():
                    pass

    async def _come_to_model(self) -> None:
        """Ask the model that another process had come to."""
        model_id = fallback_of(self.log.events)
        if model_id and (leg := await self._fallbacks.come_to(model_id)):
            self._first = self._leg = leg

    def _go_on(self) -> None:
        """Take up what another process has begun and shown."""
        processes = self.log.epoch - 1  # that had it before, each with a first call of its own
        self._retries.go_on(processes + calls_announced(self.log.events))
        self._account.begin()
        for event in self.log.events:
            self._meter.count(event)
        self._account.cut(self._meter.total_tokens)
        policy = self.log.record.policies.on_interruption
        error = ServiceError("interrupted")
        self._leg = next_leg(policy, self._first, self.log.events, self._meter.total_tokens, error)
        self.listener.turned(self._turn, "interrupted")
        self._tell("continuing")

    @property
    def _turn(self) -> Turn:
        """Why the call that comes next is made."""
        mark = self._leg.mark
        return "retry" if mark is None else "restart" if mark.state == "restarted" else "continuation"

    def _too_late(self) -> None:
        self.stop(ServiceError("deadline_exceeded"))

    def _queued(self, place: int) -> None:
        self.listener.queued(place)
        self._tell("queued", Status("queued", place=place))

    def _held_back(self, place: int) -> None:
        """Tell a reader who has nothing yet that the model takes no more at once."""
        if not self._shown:
            self._tell("queued", Status("queued", place=place))

    def _begun(self) -> None:
        if self.log.state == "queued":
            self._tell("starting")

    async def _attempt(self) -> bool:
        """Make one attempt. False: it failed, and the time for the next has come."""
        leg, unshown = self._leg, not self._shown
        try:
            attempt = await self._calling.call(
                leg, unshown=unshown, alternative=unshown and await self._fallbacks.ahead()
            )
        except ServiceError as error:
            self._account.cut(self._meter.attempt_tokens)
            await self._recover(error.forget_frames())
            return False
        self._account.finished()
        self._stop = attempt.stop
        if leg.seam and (rest := leg.seam.close()):
            self._append([TextDelta(0, rest)], "continuing")
        return True

    async def _recover(self, error: ServiceError) -> None:
        """Prepare the next attempt and wait until it is time for it, or give up."""
        if self._stopping:
            raise asyncio.CancelledError
        self._log_failure(error)
        if self._shown:
            await self._all_shown()
            policy = self.log.record.policies.on_interruption
            leg = next_leg(policy, self._first, self.log.events, self._meter.total_tokens, error)
        elif comes_first(error) and await self._fall_back(error):
            return
        else:
            leg = self._first
        left = self._settings.request_timeout - self._account.elapsed_s
        if not self._calling.is_refused(leg) and self._retries.may_follow(error, left):
            self._leg = leg
            await self._pause(error)
        elif self._shown or not await self._fall_back(error):
            raise self._refusal if self._refusal and not error.retryable else error

    async def _fall_back(self, error: ServiceError) -> bool:
        """Go to the next model, where there is one and it may do better."""
        if not may_help(error, asked=self._refusal is None):
            return False
        if (leg := await self._fallbacks.next(error.message)) is None:
            return False
        self._refusal = self._refusal or error
        self._first = self._leg = structs.replace(leg, mark=None)
        self.listener.turned("fallback", error.code.name)
        self._tell("starting", leg.mark)
        return True

    async def _pause(self, error: ServiceError) -> None:
        """Wait for the next attempt's time, and tell the reader."""
        delay = delay_before(self._retries.next, error)
        self.listener.turned(self._turn, error.code.name, delay)
        status = Status(
            "reconnecting" if self._shown else "retrying",
            attempt=self._retries.attempts + 1,
            delay=round(delay, 3),
            message=error.message,
        )
        self._tell("continuing" if self._shown else "starting", status)
        await self._calling.rest(self._leg, delay)

    async def _all_shown(self) -> None:
        """Wait until the journal has shown what was appended: an answer goes on from all of it."""
        while len(self.log.events) < self.log.numbered:
            await self.log.wait(len(self.log.events))

    def _log_failure(self, error: ServiceError) -> None:
        said: dict[str, object] = {"stream_id": self.log.stream_id, "attempt": self._retries.attempts}
        if isinstance(error, UpstreamError):
            said["aws_code"] = error.aws_code
            said["aws_request_id"] = error.request_id
            said["original_status"] = error.original_status
        logger.info("An attempt failed: %s", error.code.name, extra=said)

    def _show(self, events: list[Event], came: float | None) -> None:
        """Give readers a batch, with a word on its progress where that is due. `came`: when the answer in it did."""
        if came is not None:
            self.log.received_at = came
            self.listener.shown(came)
            self._shown = True
            if leg_mark := self._leg.mark:
                events = [leg_mark, *events]
                self._leg = structs.replace(self._leg, mark=None)
            if progress := self._meter.tick(came):
                events.append(progress)
        if self._leg.seam:
            events = self._leg.seam.join(events)
        if events:  # the seam may have taken all of it
            self._append(events, "streaming")

    def _tell(self, state: State, status: Status | None = None) -> None:
        """Note a state, and say it to the reader: at once, or at the commit."""
        self.log.state = state
        if status is None:
            return
        self.log.received_at = None  # what comes next for the readers is no word of Bedrock's
        if self._held is None:
            self._append([status], state)
        else:
            self._held.append(status)

    def _commit(self) -> None:
        """Let the stream begin for its readers, if it has not begun."""
        if self._held is not None:
            self._append([], self.log.state)

    def _append(self, events: list[Event], state: State) -> None:
        if self._held is not None:
            record = self.log.record
            start = Start(record.stream_id, self._leg.target.model_id, self._leg.target.api, self._settings.backend)
            events = [start, *self._held, *events]
            self._held = None
        self._parts.journal.append(self.log, events, state)

    def _finish(self) -> None:
        self.log.received_at = None
        self._account.cut(self._meter.attempt_tokens)
        usage = self._account.usage
        metrics = self._account.metrics(self._retries.attempts, self._leg.target.model_id)
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
        self._parts.on_end(self.log, end)

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
