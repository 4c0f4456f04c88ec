"""The engine: starts generations, finds their streams, cancels them, and lets them end when the process must."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic
from weakref import WeakSet

from service.access.caller import Caller
from service.access.rates import ExpectedUsage, Grant, PendingGrant, Rates, open_rates
from service.bedrock.catalog.resolution import Target
from service.bedrock.upstream import Upstream
from service.deltas import SHOWN, Done, Failed, Metrics, Usage
from service.engine.admission import Slots
from service.engine.bulkhead import Circuit, Lanes
from service.engine.disconnect import Attendance
from service.engine.fallbacks import allowed
from service.engine.flush_window import Pace
from service.engine.listener import Listener, Silence
from service.engine.model_names import permit
from service.engine.parts import Parts
from service.engine.producer import Producer
from service.engine.request import GenerateRequest, answer_tokens, record_of, wanted
from service.engine.retry import Budget
from service.engine.watchdog import Watchdog
from service.errors import CODES, ServiceError
from service.generation import Request
from service.settings import Settings
from service.streams.journal import Journal
from service.streams.keyed_locks import KeyedLocks
from service.streams.log import StreamLog
from service.streams.record import Record

__all__ = ["Engine", "GenerateRequest", "open_engine"]

logger = logging.getLogger(__name__)

_CANCEL_S = 5.0  # for the word to reach another process and its end to come back
_FAREWELL_S = 1.0  # for readers to take the end of a stream that is to be forgotten
_LOOK_AGAIN_S = 0.01
_HANDS = 8
"""Streams taken over at a time: a sweep names all that there are, and the calls of a hundred stood in the way of the
journal's own until it was taken for lost. Of a killed process's 600 streams 366 had been gone on with after 22 s; now
900 are within 7 s (two cores, busy then and idle now, Valkey, 2026-11-24)."""
_YOUNG_OBJECTS = 20_000  # containers made before the collector looks at them
_BEHIND_S = 1.0  # what one process has shown comes to another within milliseconds, and a reader may be quicker


class Engine:
    """One process's generations."""

    def __init__(self, parts: Parts, tasks: asyncio.TaskGroup, rates: Rates) -> None:
        self._parts = parts
        self._tasks = tasks
        self.rates = rates
        self._producers: dict[str, Producer] = {}
        self._taking_over: set[str] = set()
        self._passed_over: set[str] = set()
        self._hands = asyncio.Semaphore(_HANDS)
        self._beginning = KeyedLocks()  # by idempotency key
        self._handed_out: WeakSet[StreamLog] = WeakSet()  # for readers, wherever they are produced
        self._idle = asyncio.Event()
        self.draining = False
        self.closing = False
        """Whether the process is about to go: readers of what still runs elsewhere are sent there."""
        self.watchdog = parts.watchdog
        self.settings = parts.settings
        self.upstream = parts.upstream
        self.journal = parts.journal
        self.listener = parts.listener

    @property
    def running(self) -> int:
        """How many generations this process is producing."""
        return len(self._producers)

    @property
    def queued(self) -> int:
        """How many of them wait for a place."""
        return self._parts.places.queued

    @property
    def detached(self) -> int:
        """How many of them nobody in this process reads."""
        return sum(not producer.log.readers for producer in self._producers.values())

    def circuits(self) -> list[Circuit]:
        """How it stands with each model that was called: its breaker, and how many calls it takes at once."""
        return self._parts.lanes.circuits(self.upstream.region)

    async def start(self, order: GenerateRequest) -> StreamLog:
        """Begin a generation, or attach to the one that the order's key is bound to.

        Who asks twice at once with one key waits for what becomes of the first.

        Raises:
            ServiceError: the generation was not admitted, and nothing was bound.
        """
        if order.key is None and (refusal := self.refusal(order.caller)):
            raise refusal
        if order.key is None:
            log = await self._begin(order)
        else:
            async with self._beginning.of(order.key[:2]):
                log = await self.journal.find_bound(order.key) or await self._begin(order)
        self._handed_out.add(log)
        return log

    async def resolve(self, request: Request, caller: Caller) -> Target:
        """Choose what is called for a request of a key. Asking the control plane counts as a request of the key.

        Raises:
            ServiceError: `forbidden`, the key may not use the model; `rate_limited`.
        """
        if self.upstream.asks(request.model_id):
            await self.rates.charge_request(caller)
        target = await self.upstream.resolve(request)
        permit(caller, request.model_id, target)
        return target

    async def count_tokens(self, request: Request, target: Target, caller: Caller) -> int:
        """Let Bedrock count a request's tokens, as a request of the key.

        Raises:
            ServiceError: `rate_limited`; what Bedrock refuses.
        """
        await self.rates.charge_request(caller)
        return await self.upstream.count_tokens(request, target)

    def refusal(self, caller: Caller) -> ServiceError | None:
        """Say why a further generation cannot be begun, where that is certain at once."""
        if self.draining:
            return ServiceError("draining", retry_after=1)
        return self.rates.refusal(caller) or self._parts.places.refusal(caller.id)

    async def _begin(self, order: GenerateRequest) -> StreamLog:
        """Begin a generation and charge it to its key, or return what another process has begun for the order's key.

        Whatever is certain by then is refused before the journal has any work with it.

        Raises:
            ServiceError: there can be none; nothing was charged, written or bound.
        """
        caller = order.caller
        if refusal := self.refusal(caller):
            raise refusal
        target = await self.resolve(order.request, caller)
        record = record_of(order, target, allowed(order.request.model_id, caller, self.settings))
        if not record.fallbacks:
            self._parts.lanes.of(target, record.request).check()
        with self._parts.places.expected, PendingGrant() as leave:
            tokens = wanted(record.request) if caller.tokens_per_minute else ExpectedUsage()
            leave.grant = grant = await self.rates.admit(caller, tokens)
            log = await self.journal.begin(record, order.key)
            if log.stream_id == record.stream_id:
                self._produce(Producer(log, target, self._parts, key=order.key), grant)
                leave.grant = None
        return log

    def _produce(self, producer: Producer, grant: Grant) -> None:
        log = producer.log
        attendance = Attendance(
            log,
            self.journal,
            self._tasks,
            policy=log.record.policies.on_disconnect,
            grace_s=self.settings.resume_grace,
            leave=producer.stop,
            detached=producer.listener.detached,
        )
        self._producers[log.stream_id] = producer
        task = self._tasks.create_task(producer.run(), name=f"generation {log.stream_id}")

        def ended(_: asyncio.Task[None]) -> None:
            attendance.close()
            del self._producers[log.stream_id]
            if producer.admitted or producer.moved:
                grant.settle(producer.spent)
            else:
                grant.withdraw()
            if not self._producers:
                self._idle.set()

        task.add_done_callback(ended)
        if producer.taken_over:
            attendance.note(log.readers)

    def cancel_requested(self, stream_id: str) -> None:
        """Stop a generation that was cancelled in another process."""
        if producer := self._producers.get(stream_id):
            producer.stop()

    def replaced(self, log: StreamLog) -> None:
        """Stop a generation that another process has taken over, without a word."""
        if producer := self._producers.get(log.stream_id):
            producer.let_go()

    def abandoned(self, stream_id: str) -> None:
        """Take over a generation whose process has died or let it go."""
        known = stream_id in self._producers or stream_id in self._taking_over or stream_id in self._passed_over
        if not self.draining and not known:
            self._taking_over.add(stream_id)
            self._tasks.create_task(self._take_over(stream_id))

    async def _take_over(self, stream_id: str) -> None:
        try:
            async with self._hands:
                if not self.draining and (log := await self.journal.take_over(stream_id)):
                    await self._go_on(log)
        except ServiceError as error:  # there is no memory just now; the stream is named again
            logger.debug("A stream cannot be taken over: %s", error.code.name, extra={"stream_id": stream_id})
        except Exception:  # the outermost handler of one stream: all others go on, and the next start is not stopped
            logger.exception("A stream cannot be taken over and is passed over", extra={"stream_id": stream_id})
            self._passed_over.add(stream_id)
            await self.journal.stored(stream_id)
        finally:
            self._taking_over.discard(stream_id)

    async def _go_on(self, log: StreamLog) -> None:
        """Produce a stream whose lease is ours now; it must not be left without an end."""
        try:
            if not log.record.request.messages:
                raise ServiceError("interrupted", "The journal has lost the request.")  # noqa: TRY301 - as below
            target = await self.upstream.resolve(log.record.request)
        except ServiceError as error:  # the process that began it had other settings
            logger.warning("A stream cannot be gone on with: %s", error, extra={"stream_id": log.stream_id})
            died = CODES["interrupted"]
            partial = any(isinstance(event, SHOWN) for event in log.events)
            failed = Failed(died.name, died.sentence, died.status, died.retryable, partial)
            self.journal.append(log, [failed], "failed")
            record = log.record
            unable = self.listener.generation(
                log.stream_id, record.caller, record.dialect, record.request, "", taken_over=True
            )
            unable.ended(failed, Usage(), Metrics(), log.numbered)
            self._parts.on_end(log, failed)
            return
        if self.draining:  # which has begun meanwhile
            await self.journal.release(log)
        else:
            self._produce(Producer(log, target, self._parts, taken_over=True), self._grant_of(log.record))

    def _grant_of(self, record: Record) -> Grant:
        """Count a generation of another process, which has charged its request, its prompt and its longest answer."""
        caller = Caller(record.caller, tokens_per_minute=record.tokens_per_minute)
        return self.rates.take_over(caller, answer_tokens(record.request))

    async def find(self, stream_id: str, caller: str, *, after: int = 0) -> StreamLog:
        """Return a caller's stream, with event number `after` where the caller can have seen it.

        Raises:
            ServiceError: `gone`, nobody knows it any more; `not_found`, it is another caller's.
        """
        log = await self.journal.find(stream_id)
        if log is None:
            raise ServiceError("gone")
        if log.record.caller != caller:
            raise ServiceError("not_found", "There is no such stream.")
        if self.journal.shared:
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEHIND_S):
                    await _come_to(log, after)
        self._handed_out.add(log)
        return log

    async def cancel(self, stream_id: str, caller: str) -> StreamLog:
        """Cancel a generation wherever it runs, and return its log once it has ended."""
        log = await self.find(stream_id, caller)
        if producer := self._producers.get(stream_id):
            producer.stop()
        elif not log.end:
            await self.journal.request_cancel(stream_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_S):
                await log.wait_for_end()
        return log

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream, once those who read it here have had a moment for its end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while log.readers:  # noqa: ASYNC110 - nobody tells of a reader that goes once a stream has ended
                    await asyncio.sleep(_LOOK_AGAIN_S)
        await self.journal.purge(log)

    async def drain(self, timeout_s: float) -> None:
        """Take no further generation, let those that run go on for a while, then end them or let others go on."""
        self.draining = True
        if self._producers:
            logger.warning("Draining: %d generations have %g s; a second signal ends them", self.running, timeout_s)
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._idle.wait()
        await self.close()

    def hurry(self) -> None:
        """End a drain that has begun."""
        self._idle.set()

    async def close(self) -> None:
        """End what runs: handed to another process where the journal allows it, else as `draining`."""
        self.draining = True
        kept = [producer for producer in self._producers.values() if self._can_move(producer)]
        for producer in list(self._producers.values()):
            if producer in kept:
                producer.let_go()
            else:
                producer.stop(ServiceError("draining", "The service was shut down before the answer was complete."))
        while self._producers:
            self._idle.clear()
            await self._idle.wait()
        await self._show_ends()
        await asyncio.gather(*(self.journal.release(producer.log) for producer in kept))
        self.closing = True
        for log in list(self._handed_out):
            log.wake()  # its readers are sent to another process

    async def _show_ends(self) -> None:
        """Wait until the journal has shown what was said last: nobody has to come back for that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                shown = (_come_to(log, log.numbered) for log in list(self._handed_out))
                await asyncio.gather(*shown, return_exceptions=True)  # some may have been dropped

    def _can_move(self, producer: Producer) -> bool:
        return self.journal.shared and self.journal.available and producer.log.resumable


async def _come_to(log: StreamLog, number: int) -> None:
    """Wait for an event that another process may have shown already, or for the end."""
    while len(log.events) < number and not log.end:
        log.take(0)  # it may have been dropped
        await log.wait(len(log.events))


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Keep the collector from walking over what is loaded for good: modules, the SDK's models, the routes.

    With 200 streams at once a full collection comes about once, and it stopped the loop for 0.1 s (CPython 3.11, some
    140,000 objects); without those it takes a hundredth of that. Requests make and drop some thousand containers each,
    and nearly none in cycles: looking for those after every 700 took a twentieth of a request.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@asynccontextmanager
async def open_engine(
    settings: Settings,
    upstream: Upstream,
    journal: Journal,
    on_end: Callable[[StreamLog, Done | Failed], None],
    listener: Listener | None = None,
    *,
    clock: Callable[[], float] = monotonic,
) -> AsyncIterator[Engine]:
    """Run an engine while the block lasts; leaving it ends what still runs.

    `clock` gives the seconds for circuit breakers, learned concurrency limits and the retry budget.
    """
    watchdog = Watchdog()
    parts = Parts(
        settings=settings,
        upstream=upstream,
        journal=journal,
        watchdog=watchdog,
        places=Slots(settings.max_streams, settings.max_queue, settings.queue_timeout),
        lanes=Lanes(settings, clock),
        budget=Budget(settings.retry_budget, clock),
        pace=Pace(settings.max_flush_window, now=watchdog.time()),
        on_end=on_end,
        listener=listener or Silence(),
    )
    journal.listen(parts.listener)
    try:
        with _settled_heap():
            async with open_rates(settings.journal_url) as rates, asyncio.TaskGroup() as tasks:
                engine = Engine(parts, tasks, rates)
                journal.attach(engine)
                try:
                    yield engine
                finally:
                    await engine.close()
    finally:
        watchdog.close()
