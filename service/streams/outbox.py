"""Group commit: the events of all streams produced here are stored together, and published once they are stored.

Each stream has at most one batch in flight, so its order is preserved whatever happens to a commit; later events wait
and are sent as one batch with the next commit.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple
from weakref import WeakKeyDictionary

from service.deltas import Done, Event, Failed, Start, Status
from service.streams.availability import Availability
from service.streams.codec import Codec, Unwritable
from service.streams.log import StreamLog
from service.streams.record import ENDED, State
from service.streams.store import Batch, JournalStore, Lease, Outcome, Unavailable

TICK_S = 0.004
"""Between the starts of two consecutive commits.

A delta that arrives alone is not delayed. With 200 streams of 50 deltas a second this makes groups of 40, and a commit
of a group costs the same as one of a single delta; the latency is 2 ms on average, which is not perceptible.
"""

ROUND = 1000  # streams in one commit: bounds its duration

logger = logging.getLogger(__name__)

_NOT_STORED = "This stream is no longer stored: it continues, but a client that loses its connection cannot resume it."


class UnknownState(NamedTuple):
    """A stream whose state in the store is unknown. `epoch` None: purge it whichever process owns it.

    It is purged `purges` times: a command in flight when the connection was lost can arrive after the first purge.
    """

    epoch: int | None
    purges: int = 4


class ProducedStream:
    """A stream of this process that the store has. `mark`: the first number of the last stored batch."""

    __slots__ = ("in_flight", "log", "mark", "pending")

    def __init__(self, log: StreamLog) -> None:
        self.log = log
        self.mark = 0
        self.pending: list[Event] = []
        self.in_flight: list[Event] = []

    def batch(self, codec: Codec) -> Batch:
        """Return the batch in flight: the same one until its outcome is known."""
        if not self.in_flight:
            self.in_flight, self.pending = self.pending, []
        log, events, first = self.log, self.in_flight, len(self.log.events) + 1
        return Batch(
            log.stream_id,
            log.epoch,
            first,
            codec.write_events(log.stream_id, first, events),
            isinstance(events[-1], Done | Failed),
        )

    @property
    def waiting(self) -> bool:
        """Whether there are events that the store may not have."""
        return bool(self.in_flight or self.pending)


class Outbox:
    """The streams that are produced here, and the single writer for all of them.

    `on_replaced` is called for a stream that another process has taken over.
    """

    def __init__(
        self, store: JournalStore, codec: Codec, availability: Availability, on_replaced: Callable[[StreamLog], None]
    ) -> None:
        self.produced: dict[str, ProducedStream] = {}
        self.unknown: dict[str, UnknownState] = {}
        # Streams that the store does not have; the value: whether that has been announced, or need not be.
        self.memory_only: WeakKeyDictionary[StreamLog, bool] = WeakKeyDictionary()
        self._store = store
        self._codec = codec
        self._availability = availability
        self._on_replaced = on_replaced
        self.on_commit: Callable[[float], None] = lambda _: None
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[str, ProducedStream] = {}
        self._wanted = asyncio.Event()
        self._flushed = self._loop.create_future()
        self._last = float("-inf")
        availability.on_lost = self._lost

    def add(self, log: StreamLog, mark: int = 0) -> None:
        """Start to store a stream that is produced here."""
        produced = ProducedStream(log)
        produced.mark = mark
        self.produced[log.stream_id] = produced

    def discard(self, log: StreamLog) -> None:
        """Stop storing a stream that is produced here; its unstored events were never published and are dropped."""
        self.produced.pop(log.stream_id, None)
        self._dirty.pop(log.stream_id, None)
        log.numbered = len(log.events)

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Queue events to be stored and published."""
        if not events:
            return
        if produced := self.produced.get(log.stream_id):
            if state not in ENDED:
                log.state = state
            log.number(events)
            produced.pending.extend(events)
            self._dirty[log.stream_id] = produced
            self._wanted.set()
            if not (self._availability.available or self._availability.grace_s):
                self.continue_unstored(produced)
        elif log in self.memory_only:
            self._publish_unstored(log, events)

    def leases(self) -> list[Lease]:
        """Return the leases to renew."""
        return [Lease(name, produced.log.epoch, produced.mark) for name, produced in self.produced.items()]

    async def write(self) -> None:
        """Wait for events and commit them."""
        await self._wanted.wait()
        await self._availability.wait()
        if (pause := self._last + TICK_S - self._loop.time()) > 0:
            await asyncio.sleep(pause)
        await self._commit()

    async def flush(self, log: StreamLog | None = None) -> None:
        """Wait until all events (or those of one stream) are stored, or published without being stored."""
        while log.stream_id in self._dirty if log else self._dirty:
            await asyncio.shield(self._flushed)

    async def _commit(self) -> None:
        self._last = self._loop.time()
        under_way = self._gather()
        if under_way:  # else all were published unstored, or belong to another process now
            batches = [batch for _, batch in under_way]
            try:
                outcomes = await self._availability.call(self._store.write(batches))
            except Unavailable:
                return
            self.on_commit(self._loop.time() - self._last)
            for (produced, batch), outcome in zip(under_way, outcomes, strict=True):
                if self.produced.get(batch.stream_id) is produced:
                    self._settle(produced, batch, outcome)
        self._notify_flush()

    def _gather(self) -> list[tuple[ProducedStream, Batch]]:
        gathered = []
        for produced in list(islice(self._dirty.values(), ROUND)):
            try:
                gathered.append((produced, produced.batch(self._codec)))
            except Unwritable:
                logger.exception(
                    "A stream cannot be encoded for the journal", extra={"stream_id": produced.log.stream_id}
                )
                self.continue_unstored(produced)
        return gathered

    def _settle(self, produced: ProducedStream, batch: Batch, outcome: Outcome) -> None:
        log = produced.log
        if outcome is Outcome.REPLACED:
            self.discard(log)
            self._on_replaced(log)
        elif outcome is Outcome.GONE:
            self.continue_unstored(produced)
        else:
            events, produced.in_flight, produced.mark = produced.in_flight, [], batch.first
            self._dirty.pop(log.stream_id, None)
            if batch.last:
                del self.produced[log.stream_id]
            elif produced.pending:
                self._dirty[log.stream_id] = produced  # after those that this commit had no capacity for
            log.publish(batch.first, events)

    def continue_unstored(self, produced: ProducedStream) -> None:
        """Continue a stream without the store: announce it as not resumable, and publish what waits."""
        log = produced.log
        del self.produced[log.stream_id]
        self._dirty.pop(log.stream_id, None)
        self.unknown[log.stream_id] = UnknownState(log.epoch)
        self.keep_in_memory(log)
        if produced.waiting:
            self._publish_unstored(log, [*produced.in_flight, *produced.pending])

    def keep_in_memory(self, log: StreamLog, *, announced: bool = False) -> None:
        """Publish a stream from memory only; `announced`: do not announce that it is not resumable."""
        log.resumable = announced
        self.memory_only[log] = announced

    def _publish_unstored(self, log: StreamLog, events: Sequence[Event]) -> None:
        if not self.memory_only[log]:
            self.memory_only[log] = True
            events = _with_announcement(events, begins=not log.events)
        log.publish(len(log.events) + 1, events)

    def _lost(self) -> None:
        self._loop.call_later(self._availability.grace_s, self._stop_waiting)

    def _stop_waiting(self) -> None:
        """Publish events that have waited for the whole grace period, if the store is still unavailable."""
        if self._availability.grace_s:
            return
        for produced in list(self._dirty.values()):
            self.continue_unstored(produced)
        self._notify_flush()

    def _notify_flush(self) -> None:
        """Wake `flush`."""
        if not self._dirty:
            self._wanted.clear()
        self._flushed.set_result(None)
        self._flushed = self._loop.create_future()


def _with_announcement(events: Sequence[Event], *, begins: bool) -> list[Event]:
    """Insert the status `not_resumable`; a start event stays the first."""
    status = Status("not_resumable", message=_NOT_STORED)
    head = 1 if begins and isinstance(events[0], Start) else 0
    return [*events[:head], status, *events[head:]]
