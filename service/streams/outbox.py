"""Group commit: the events of all streams produced here go to the store together, and are shown once it has them.

Each stream has at most one batch under way, so its order is kept whatever becomes of a commit; what comes meanwhile
waits and goes as one batch with the next.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple
from weakref import WeakKeyDictionary

from service.deltas import Done, Event, Failed, Start, Status
from service.streams.availability import Link
from service.streams.codec import Codec, Unwritable
from service.streams.log import StreamLog
from service.streams.record import ENDED, State
from service.streams.store import Batch, JournalStore, Lease, Outcome, Unavailable

TICK_S = 0.004
"""Between the beginnings of two commits, where one follows upon the other.

A delta that comes alone waits for nothing. With 200 streams of 50 deltas a second it makes groups of 40, and a commit
costs the same as for one; 2 ms of latency on average, which nobody sees.
"""

ROUND = 1000  # streams in one commit: a bound on the time that one takes

logger = logging.getLogger(__name__)

_NOT_KEPT = "This stream is not kept any more: it goes on, but whoever loses it cannot come back."


class Doubt(NamedTuple):
    """A stream that the store may have, or may yet get, though it went on without. `epoch` None: whoever has it now.

    It is purged `purges` times: a command that was on its way when the store was lost can arrive after the first.
    """

    epoch: int | None
    purges: int = 4


class Produced:
    """A stream of this process that the store keeps. `mark`: the first number of the last batch it has."""

    __slots__ = ("flying", "log", "mark", "pending")

    def __init__(self, log: StreamLog) -> None:
        self.log = log
        self.mark = 0
        self.pending: list[Event] = []
        self.flying: list[Event] = []

    def batch(self, codec: Codec) -> Batch:
        """Return the batch that is under way: the same one until its fate is known."""
        if not self.flying:
            self.flying, self.pending = self.pending, []
        log, events, first = self.log, self.flying, len(self.log.events) + 1
        return Batch(
            log.stream_id,
            log.epoch,
            first,
            codec.write_events(log.stream_id, first, events),
            isinstance(events[-1], Done | Failed),
        )

    @property
    def waiting(self) -> bool:
        """Whether there is anything that the store does not have for certain."""
        return bool(self.flying or self.pending)


class Outbox:
    """The streams that are produced here, and the one writer for all of them.

    `on_replaced` is told of a stream that another process has taken over.
    """

    def __init__(self, store: JournalStore, codec: Codec, link: Link, on_replaced: Callable[[StreamLog], None]) -> None:
        self.produced: dict[str, Produced] = {}
        self.doubtful: dict[str, Doubt] = {}
        self.unkept: WeakKeyDictionary[StreamLog, bool] = (
            WeakKeyDictionary()
        )  # from memory alone: have readers been told?
        self._store = store
        self._codec = codec
        self._link = link
        self._on_replaced = on_replaced
        self.on_commit: Callable[[float], None] = _ignore
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[str, Produced] = {}
        self._wanted = asyncio.Event()
        self._turn = self._loop.create_future()
        self._last = float("-inf")
        link.on_lost = self._lost

    def hold(self, log: StreamLog, mark: int = 0) -> None:
        """Produce a stream here from now on."""
        produced = Produced(log)
        produced.mark = mark
        self.produced[log.stream_id] = produced

    def let_go(self, log: StreamLog) -> None:
        """Produce a stream here no more; what is not kept of it was never shown and is forgotten."""
        self.produced.pop(log.stream_id, None)
        self._dirty.pop(log.stream_id, None)
        log.numbered = len(log.events)

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Take events on their way to the readers."""
        if not events:
            return
        if produced := self.produced.get(log.stream_id):
            if state not in ENDED:
                log.state = state
            log.number(events)
            produced.pending.extend(events)
            self._dirty[log.stream_id] = produced
            self._wanted.set()
            if not (self._link.available or self._link.patience_s):
                self.give_up(produced)
        elif log in self.unkept:
            self._show_unkept(log, events)

    def leases(self) -> list[Lease]:
        """Return what this process has to renew."""
        return [Lease(name, produced.log.epoch, produced.mark) for name, produced in self.produced.items()]

    async def write(self) -> None:
        """Wait for events, and commit them."""
        await self._wanted.wait()
        await self._link.wait()
        if (pause := self._last + TICK_S - self._loop.time()) > 0:
            await asyncio.sleep(pause)
        await self._commit()

    async def flush(self, log: StreamLog | None = None) -> None:
        """Wait until everything (or all of one stream) is kept, or shown without."""
        while log.stream_id in self._dirty if log else self._dirty:
            await asyncio.shield(self._turn)

    async def _commit(self) -> None:
        self._last = self._loop.time()
        under_way = self._gather()
        if under_way:  # else all were shown without, or belong to another process now
            batches = [batch for _, batch in under_way]
            try:
                outcomes = await self._link.call(self._store.write(batches))
            except Unavailable:
                return
            self.on_commit(self._loop.time() - self._last)
            for (produced, batch), outcome in zip(under_way, outcomes, strict=True):
                if self.produced.get(batch.stream_id) is produced:
                    self._settle(produced, batch, outcome)
        self._turned()

    def _gather(self) -> list[tuple[Produced, Batch]]:
        gathered = []
        for produced in list(islice(self._dirty.values(), ROUND)):
            try:
                gathered.append((produced, produced.batch(self._codec)))
            except Unwritable:
                logger.exception("A stream cannot be kept", extra={"stream_id": produced.log.stream_id})
                self.give_up(produced)
        return gathered

    def _settle(self, produced: Produced, batch: Batch, outcome: Outcome) -> None:
        log = produced.log
        if outcome is Outcome.REPLACED:
            self.let_go(log)
            self._on_replaced(log)
        elif outcome is Outcome.GONE:
            self.give_up(produced)
        else:
            events, produced.flying, produced.mark = produced.flying, [], batch.first
            self._dirty.pop(log.stream_id, None)
            if batch.last:
                del self.produced[log.stream_id]
            elif produced.pending:
                self._dirty[log.stream_id] = produced  # behind those that this commit had no room for
            log.show(batch.first, events)

    def give_up(self, produced: Produced) -> None:
        """Go on without the store: tell the readers so, and show what waits."""
        log = produced.log
        del self.produced[log.stream_id]
        self._dirty.pop(log.stream_id, None)
        self.doubtful[log.stream_id] = Doubt(log.epoch)
        self.keep_apart(log)
        if produced.waiting:
            self._show_unkept(log, [*produced.flying, *produced.pending])

    def keep_apart(self, log: StreamLog, *, told: bool = False) -> None:
        """Show a stream from memory alone; `told`: there is nothing that its readers have to be told."""
        log.resumable = told
        self.unkept[log] = told

    def _show_unkept(self, log: StreamLog, events: Sequence[Event]) -> None:
        if not self.unkept[log]:
            self.unkept[log] = True
            events = _announced(events, begins=not log.events)
        log.show(len(log.events) + 1, events)

    def _lost(self) -> None:
        self._loop.call_later(self._link.patience_s, self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        """Show what has waited for as long as it may, if the store is still not there."""
        if self._link.patience_s:
            return
        for produced in list(self._dirty.values()):
            self.give_up(produced)
        self._turned()

    def _turned(self) -> None:
        """Let `flush` look again."""
        if not self._dirty:
            self._wanted.clear()
        self._turn.set_result(None)
        self._turn = self._loop.create_future()


def _announced(events: Sequence[Event], *, begins: bool) -> list[Event]:
    """Say that a stream cannot be come back to; a start event stays the first."""
    status = Status("not_resumable", message=_NOT_KEPT)
    head = 1 if begins and isinstance(events[0], Start) else 0
    return [*events[:head], status, *events[head:]]


def _ignore(_: float) -> None:
    """Nobody minds."""
