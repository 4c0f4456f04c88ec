"""The journal in this process's memory: fast, bounded, lost when the process ends."""

from collections.abc import Collection, Sequence
from typing import Self

from service.deltas import Event
from service.streams.cache import StreamCache
from service.streams.idempotency import KeyBindings
from service.streams.journal import IdempotencyKey, JournalListener, Owner
from service.streams.log import StreamLog
from service.streams.record import Record, State


class MemoryJournal:
    """The `memory://` journal. A durable journal uses one for streams that exist in this process only."""

    name = "memory"
    shared = False
    available = True

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self.cache = StreamCache(ttl_s=ttl_s, memory_bytes=memory_bytes)
        self._keys = KeyBindings(self.cache, ttl_s=ttl_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cache.close()

    @property
    def size(self) -> int:
        """The bytes of the cached logs."""
        return self.cache.size

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Create a stream, or return the one that `key` is bound to."""
        if bound := self.bound(key):
            return bound
        self.cache.check_capacity(archived=record.archived)
        log = StreamLog(record)
        self.cache.add(log)
        if record.archived:
            self.cache.retain(log)
        self.bind(key, log)
        return log

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to."""
        return self.bound(key)

    def bound(self, key: IdempotencyKey | None) -> StreamLog | None:
        """Return the stream that a key is bound to here; None for no key."""
        return self._keys.find(key) if key else None

    def bind(self, key: IdempotencyKey | None, log: StreamLog) -> None:
        """Bind a key to a cached stream."""
        if key:
            self._keys.bind(key, log.stream_id)

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Number events and publish them at once."""
        log.state = state
        log.publish(len(log.events) + 1, events)

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a cached stream."""
        return self.cache.get(stream_id)

    def attach(self, owner: Owner) -> None:
        """Do nothing: no other process has these streams."""

    def listen(self, listener: JournalListener) -> None:
        """Report evictions to `listener`."""
        self.cache.on_evicted = listener.evicted

    async def take_over(self, stream_id: str) -> StreamLog | None:  # noqa: ARG002 - as above
        """Return None: a stream ends with its process."""
        return None

    async def release(self, log: StreamLog) -> None:
        """Do nothing: there are no leases."""

    async def request_cancel(self, stream_id: str) -> None:
        """Do nothing: the producer is in this process."""

    async def is_read_elsewhere(self, log: StreamLog) -> bool:  # noqa: ARG002 - as above
        """Return False: no other process has these streams."""
        return False

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""
        self._keys.unbind(key)

    async def unstored(self) -> Collection[str]:
        """Return none: this process knows which answers it has to store."""
        return ()

    async def retain(self, log: StreamLog) -> bool:
        """Retain a finished log until its answer is stored."""
        self.cache.retain(log)
        return True

    async def stored(self, stream_id: str) -> None:
        """Let a log expire after its time to live."""
        if log := self.cache.get(stream_id):
            self.cache.release(log)

    async def purge(self, log: StreamLog) -> None:
        """Delete a stream at once."""
        self.cache.remove(log)
