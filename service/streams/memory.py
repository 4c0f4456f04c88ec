"""Streams in this process's memory: quick, bounded, and gone with the process."""

from collections.abc import Collection, Sequence
from typing import Self

from service.deltas import Event
from service.errors import ServiceError
from service.streams.cache import Shelf
from service.streams.idempotency import Keys
from service.streams.journal import IdempotencyKey, JournalListener, Owner
from service.streams.log import StreamLog
from service.streams.record import Record, State


class MemoryJournal:
    """The `memory://` journal. A shared one keeps in it what only this process may know."""

    name = "memory"
    shared = False
    available = True

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self.shelf = Shelf(ttl_s=ttl_s, memory_bytes=memory_bytes)
        self._keys = Keys(self.shelf, ttl_s=ttl_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for log in self.shelf:
            self.shelf.take_out(log, ServiceError("draining"))

    @property
    def size(self) -> int:
        """The bytes of the logs that are held."""
        return self.shelf.size

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Begin a stream, or return the one that `key` is bound to."""
        if bound := self.bound(key):
            return bound
        self.shelf.make_place(archived=record.archived)
        log = StreamLog(record)
        self.shelf.put(log)
        if record.archived:
            self.shelf.retain(log)
        self.bind(key, log)
        return log

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to."""
        return self.bound(key)

    def bound(self, key: IdempotencyKey | None) -> StreamLog | None:
        """Return the stream that a key is bound to here."""
        return self._keys.find(key) if key else None

    def bind(self, key: IdempotencyKey | None, log: StreamLog) -> None:
        """Bind a key to a stream that is held."""
        if key:
            self._keys.bind(key, log.stream_id)

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Give events their numbers and show them: memory is as safe as it gets here."""
        log.state = state
        log.show(len(log.events) + 1, events)

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream that is still held."""
        return self.shelf.get(stream_id)

    def attach(self, owner: Owner) -> None:
        """Nobody has to be told: no other process knows these streams."""

    def listen(self, listener: JournalListener) -> None:
        """Let somebody hear of streams that there is no room for."""
        self.shelf.on_evicted = listener.evicted

    async def take_over(self, stream_id: str) -> StreamLog | None:  # noqa: ARG002 - as above
        """Take over nothing: a stream ends with its process."""
        return None

    async def release(self, log: StreamLog) -> None:
        """Hold no lease, and give none up."""

    async def ask_cancel(self, stream_id: str) -> None:
        """Tell nobody: the producer is in this process."""

    async def is_read_elsewhere(self, log: StreamLog) -> bool:  # noqa: ARG002 - as above
        """Say no: there is no elsewhere."""
        return False

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""
        self._keys.unbind(key)

    async def unstored(self) -> Collection[str]:
        """Name none: what this process has to store it knows."""
        return ()

    async def retain(self, log: StreamLog) -> bool:
        """Retain a finished log until its answer is stored."""
        self.shelf.retain(log)
        return True

    async def stored(self, stream_id: str) -> None:
        """Let a log expire."""
        if log := self.shelf.get(stream_id):
            self.shelf.release(log)

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream at once."""
        self.shelf.take_out(log)
