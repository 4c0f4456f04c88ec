"""The engine: starts generations, finds their streams, cancels them, and lets them end when the process must."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time

from msgspec import Struct, structs

from service.bedrock.upstream import Upstream
from service.deltas import Done, Failed
from service.engine.admission import Places
from service.engine.producer import Parts, Producer
from service.engine.retry import Budget
from service.engine.watchdog import Watchdog
from service.errors import ServiceError
from service.generation import Policies, Request
from service.settings import Settings
from service.streams.journal import Journal, Key
from service.streams.log import StreamLog
from service.streams.record import ENDED, Record, new_stream_id


class Order(Struct, frozen=True):
    """What a router asks of the engine. `options` are the dialect's own; `dropped` names what it left out."""

    request: Request
    caller: str
    dialect: str
    policies: Policies
    options: dict[str, object] = {}
    dropped: tuple[str, ...] = ()
    key: Key | None = None


class Engine:
    """One process's generations."""

    def __init__(self, parts: Parts, tasks: asyncio.TaskGroup) -> None:
        self._parts = parts
        self._tasks = tasks
        self._producers: dict[str, Producer] = {}
        self._drained = asyncio.Event()
        self.draining = False
        self.closing = False
        """Whether the process is about to go: readers of what still runs elsewhere are sent there."""
        self.watchdog = parts.watchdog
        self.settings = parts.settings
        self.upstream = parts.upstream
        self.journal = parts.journal

    @property
    def running(self) -> int:
        """How many generations this process is producing."""
        return len(self._producers)

    async def start(self, order: Order) -> StreamLog:
        """Begin a generation, or attach to the one that the order's key is bound to.

        Raises:
            ServiceError: the generation was not admitted, and nothing was bound.
        """
        if self.draining:
            raise ServiceError("draining", retry_after=1)
        self._parts.places.check()
        target = await self._parts.upstream.resolve(order.request)
        record = Record(
            stream_id=new_stream_id(),
            caller=order.caller,
            created=time(),
            dialect=order.dialect,
            request=structs.replace(order.request, model_id=target.model_id),
            policies=order.policies,
            options=dict(order.options),
            dropped=order.dropped,
        )
        log = await self._parts.journal.begin(record, order.key)
        if log.stream_id == record.stream_id:
            self._produce(Producer(log, target, self._parts))
        return log

    def _produce(self, producer: Producer) -> None:
        log = producer.log
        self._producers[log.stream_id] = producer
        log.on_readers = _attendance(producer, self.settings.resume_grace)
        task = self._tasks.create_task(producer.run(), name=f"generation {log.stream_id}")
        task.add_done_callback(lambda _: self._left(log.stream_id))

    def _left(self, stream_id: str) -> None:
        self._producers.pop(stream_id, None)
        if not self._producers:
            self._drained.set()

    async def find(self, stream_id: str, caller: str) -> StreamLog:
        """Return a caller's stream.

        Raises:
            ServiceError: `gone`, nobody knows it any more; `not_found`, it is another caller's.
        """
        log = await self._parts.journal.find(stream_id)
        if log is None:
            raise ServiceError("gone")
        if log.record.caller != caller:
            raise ServiceError("not_found", "There is no such stream.")
        return log

    async def cancel(self, stream_id: str, caller: str) -> StreamLog:
        """Cancel a generation, and return its log once it has ended."""
        log = await self.find(stream_id, caller)
        if producer := self._producers.get(stream_id):
            producer.stop()
        await log.wait_for_end()
        return log

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream."""
        await self._parts.journal.purge(log)

    async def drain(self, timeout_s: float) -> None:
        """Take no further generation, let those that run go on for a while, then end them."""
        self.draining = True
        if self._producers:
            self._drained.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._drained.wait()
            except TimeoutError:
                self.stop_all()

    def stop_all(self) -> None:
        """End every generation of this process now."""
        for producer in list(self._producers.values()):
            producer.stop(ServiceError("draining", "The service was shut down before the answer was complete."))


def _attendance(producer: Producer, grace_s: float) -> Callable[[int], None]:
    """Mind a generation that nobody reads, as its policy says."""
    loop = asyncio.get_running_loop()
    policy = producer.log.record.policies.on_disconnect
    leaving: asyncio.TimerHandle | None = None

    def on_readers(readers: int) -> None:
        nonlocal leaving
        if leaving:
            leaving.cancel()
            leaving = None
        if readers or policy == "drain" or producer.log.state in ENDED:
            return
        if policy == "cancel":
            producer.stop()
        else:
            leaving = loop.call_later(grace_s, producer.stop)

    return on_readers


@asynccontextmanager
async def open_engine(
    settings: Settings, upstream: Upstream, journal: Journal, on_end: Callable[[StreamLog, Done | Failed], None]
) -> AsyncIterator[Engine]:
    """Run an engine while the block lasts; leaving it ends what still runs."""
    watchdog = Watchdog()
    parts = Parts(
        settings=settings,
        upstream=upstream,
        journal=journal,
        watchdog=watchdog,
        places=Places(settings.max_streams, settings.max_queue, settings.queue_timeout),
        budget=Budget(settings.retry_budget, asyncio.get_running_loop().time),
        on_end=on_end,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            engine = Engine(parts, tasks)
            try:
                yield engine
            finally:
                engine.draining = True
                engine.stop_all()
    finally:
        watchdog.close()
