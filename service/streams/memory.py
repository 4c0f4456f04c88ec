"""Streams in this process's memory: quick, bounded, and gone with the process."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, Self

from service.deltas import Event
from service.errors import InvalidRequest, ServiceError
from service.streams.journal import Key, Owner
from service.streams.log import StreamLog
from service.streams.record import Record, State
from service.streams.shelf import Shelf


class _Bound(NamedTuple):
    stream_id: str
    fingerprint: str
    since: float


class MemoryJournal:
    """The `memory://` journal."""

    name = "memory"
    shared = False
    available = True

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self._ttl_s = ttl_s
        self.shelf = Shelf(ttl_s=ttl_s, memory_bytes=memory_bytes)
        self._keys: OrderedDict[tuple[str, str], _Bound] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for log in self.shelf:
            self.shelf.take_out(log, ServiceError("draining"))

    async def begin(self, record: Record, key: Key | None = None) -> StreamLog:
        """Begin a stream, or return the one that `key` is bound to."""
        self.shelf.expire()
        if key and (bound := self._bound(key)):
            return bound
        if self.shelf.full:
            raise ServiceError("overloaded", "The memory for streams is full of running ones.", retry_after=1)
        log = StreamLog(record)
        self.shelf.put(log)
        if key:
            now = asyncio.get_running_loop().time()
            self._keys[key.caller, key.key] = _Bound(record.stream_id, key.fingerprint, now)
        return log

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Give events their numbers and show them: memory is as safe as it gets here."""
        log.state = state
        log.show(log.number(events), events)

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream that is still held."""
        return self.shelf.get(stream_id)

    def attach(self, owner: Owner) -> None:
        """Nobody has to be told: no other process knows these streams."""

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

    async def unbind(self, key: Key) -> None:
        """Free a key whose generation was never admitted."""
        self._keys.pop((key.caller, key.key), None)

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream at once."""
        self.shelf.take_out(log)

    def _bound(self, key: Key) -> StreamLog | None:
        self._forget_old_keys()
        if not (bound := self._keys.get((key.caller, key.key))):
            return None
        if bound.fingerprint != key.fingerprint:
            raise InvalidRequest("Idempotency-Key: this key was used with another body; use a new one.")
        if log := self.shelf.get(bound.stream_id):
            return log
        raise ServiceError("gone", "Idempotency-Key: the stream of this key is no longer kept.")

    def _forget_old_keys(self) -> None:
        """Forget keys whose stream ended (or was evicted) more than the time to live ago."""
        horizon = asyncio.get_running_loop().time() - self._ttl_s
        while self._keys:
            name, bound = next(iter(self._keys.items()))
            if bound.since > horizon:
                return
            log = self.shelf.get(bound.stream_id)
            del self._keys[name]
            if log:  # still kept: look again later
                self._keys[name] = bound._replace(since=asyncio.get_running_loop().time())
