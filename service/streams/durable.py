"""A journal that processes share: logs in memory, bytes in a store.

No event is published before the store has it, unless the stream was announced as not resumable. This module and its
neighbours have what SQLite and Valkey share; a `JournalStore` has what differs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Self

from service.deltas import Event
from service.encryption import Changed, Unopened
from service.errors import ServiceError
from service.streams.availability import CALL_TIMEOUT_S, Availability
from service.streams.codec import Codec, Unreadable, Unwritable
from service.streams.idempotency import check_fingerprint, stream_of_key_gone
from service.streams.journal import IdempotencyKey, JournalListener, NoOwner, Owner
from service.streams.leases import LeaseRenewal
from service.streams.log import StreamLog
from service.streams.memory import MemoryJournal
from service.streams.outbox import Outbox, UnknownState
from service.streams.record import Record, State
from service.streams.remote import RemoteStreams
from service.streams.store import Bound, JournalStore, StoredState, Unavailable

_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0  # after an unexpected error in a background task

logger = logging.getLogger(__name__)


class DurableJournal:
    """The journal over a store."""

    shared = True

    def __init__(
        self, store: JournalStore, codec: Codec | None = None, *, lease_s: float, ttl_s: float, memory_bytes: int
    ) -> None:
        self.name = store.name
        self._store = store
        self._codec = codec or Codec()
        self._unreadable: set[str] = set()
        self._lease_s = lease_s
        self._memory = MemoryJournal(ttl_s=ttl_s, memory_bytes=memory_bytes)
        self.cache = self._memory.cache
        self._beginning: set[StreamLog] = set()
        self._owner: Owner = NoOwner()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._availability = availability = Availability(self.name, self._lease_s)
        self._outbox = Outbox(self._store, self._codec, availability, self._replaced)
        self.cache.is_stored = lambda log: log not in self._outbox.memory_only
        self._remote = RemoteStreams(
            self._store,
            self._codec,
            availability,
            self.cache,
            linger_s=max(self._lease_s, 1.0),
            on_cancel=self._cancel_requested,
            on_abandoned=self._abandoned,
        )
        self._leases = LeaseRenewal(
            self._store,
            availability,
            self._outbox,
            self._remote,
            lease_s=self._lease_s,
            on_cancel=self._cancel_requested,
            on_abandoned=self._abandoned,
            on_replaced=self._replaced,
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._memory)
            stack.push_async_callback(self._store.close)
            with suppress(Unavailable):
                await availability.call(self._store.open())
                availability.mark_available()
                self._codec.check_key(await availability.call(self._store.sample()))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [
                tasks.create_task(_repeat(step), name=f"journal {step.__name__}")
                for step in (self._outbox.write, self._remote.listen, self._remote.synchronise, self._leases.renew)
            ]
            for task in running:
                stack.callback(task.cancel)
            stack.push_async_callback(self._flush)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def available(self) -> bool:
        """Whether appended events are being stored."""
        return self._availability.available

    def attach(self, owner: Owner) -> None:
        """Set the owner that is notified."""
        self._owner = owner

    @property
    def size(self) -> int:
        """The bytes of the logs in this process's memory."""
        return self.cache.size

    def listen(self, listener: JournalListener) -> None:
        """Report commits and evictions to `listener`."""
        self._memory.listen(listener)
        self._outbox.on_commit = listener.committed

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Create a stream, or return the one that `key` is bound to."""
        if bound := self._memory.bound(key):
            return bound
        self.cache.check_capacity(archived=record.archived)
        log = StreamLog(record)
        self.cache.add(log)
        if record.archived:
            self.cache.retain(log)
        if not record.policies.store:
            return self._keep_in_memory(log, key, announced=True)
        # Another request with the same key may find the stream in the store before the store's response arrives here.
        self._beginning.add(log)
        try:
            return await self._begin(log, key)
        except BaseException:
            self.cache.remove(log)
            raise
        finally:
            self._beginning.discard(log)

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to, here or in the store."""
        if log := self._memory.bound(key):
            return log
        try:
            await self._wait_for_store()
            bound = await self._availability.call(self._store.bound(key))
        except Unavailable:
            return None
        return await self._find_bound(key, bound) if bound else None

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Store events and then publish them; ignored for a stream that another process has taken over."""
        self._outbox.append(log, events, state)

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream's log; a log that another process produces is followed live.

        Raises:
            ServiceError: `overloaded`: it is not in memory and the store is unavailable.
        """
        log = self.cache.get(stream_id)
        if log and (self._is_live(log) or not self._availability.available):
            return log
        try:
            await self._wait_for_store()
            return await self._check_stored(log) if log else await self._remote.load(stream_id)
        except Unavailable:
            if log and stream_id in self.cache:
                return log
            raise _unavailable() from None

    async def take_over(self, stream_id: str) -> StreamLog | None:
        """Take the lease of an abandoned stream; None if that is not possible."""
        ours = stream_id in self._outbox.produced or self.cache.get(stream_id) in self._outbox.memory_only
        if ours or stream_id in self._unreadable or not self._availability.available or self.cache.full:
            return None
        with suppress(Unavailable):
            epoch = await self._availability.call(
                self._store.take_over(stream_id, released_only=self._availability.expiry_suspended)
            )
            if epoch is not None:
                return await self._continue_or_release(stream_id, epoch)
        return None

    async def release(self, log: StreamLog) -> None:
        """Give up a lease once all appended events are stored; the new producer fills the log from then on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._outbox.flush(log)
        if log.stream_id not in self._outbox.produced:
            return  # it has ended, is not stored, or belongs to another process
        self._outbox.discard(log)
        self.cache.release(log)
        with suppress(Unavailable):  # the lease expires by itself
            await self._availability.call(self._store.release(log.stream_id, log.epoch))
        self._remote.adopt(log)

    async def request_cancel(self, stream_id: str) -> None:
        """Cancel a stream, whichever process produces it.

        Raises:
            ServiceError: `overloaded`: the store is unavailable.
        """
        log = self.cache.get(stream_id)
        if stream_id in self._outbox.produced or log in self._outbox.memory_only:
            self._owner.cancel_requested(stream_id)
            return
        try:
            await self._availability.call(self._store.request_cancel(stream_id))
        except Unavailable:
            raise _unavailable() from None

    async def is_read_elsewhere(self, log: StreamLog) -> bool:
        """Whether other processes have readers of a stream; True if the store is unavailable."""
        if log in self._outbox.memory_only:
            return False
        try:
            await self._wait_for_store()
            return await self._availability.call(self._store.is_read_elsewhere(log.stream_id))
        except Unavailable:
            return True

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""
        await self._memory.unbind(key)
        with suppress(Unavailable):
            await self._availability.call(self._store.unbind(key))

    async def unstored(self) -> Collection[str]:
        """Return ids of finished streams whose answers are not stored; let those expire that others have stored."""
        waiting = self.cache.unstored  # read before the store's list: streams that end meanwhile are not in it
        try:
            names = frozenset(await self._availability.call(self._store.unstored()) if self.available else ())
        except Unavailable:
            return ()
        if self.available:
            for log in waiting:
                if log.stream_id not in names and log not in self._outbox.memory_only:
                    self.cache.release(log)
        return names

    async def retain(self, log: StreamLog) -> bool:
        """Retain a finished log until its answer is stored; False: there is no memory for it."""
        if self.cache.crowded or log.stream_id not in self.cache:
            return False
        self.cache.retain(log)
        return True

    async def stored(self, stream_id: str) -> None:
        """Let a stream expire, here and in the store; an unavailable store lists it again later."""
        log = self.cache.get(stream_id)
        if log:
            self.cache.release(log)
        if log is None or log not in self._outbox.memory_only:
            with suppress(Unavailable):
                await self._availability.call(self._store.stored(stream_id))

    async def purge(self, log: StreamLog) -> None:
        """Delete a stream at once; an unavailable store deletes it when it is available again."""
        self._remote.unfollow(log.stream_id)
        self._outbox.discard(log)
        self.cache.remove(log)
        try:
            await self._availability.call(self._store.purge(log.stream_id))
        except Unavailable:
            self._outbox.unknown[log.stream_id] = UnknownState(None)

    async def _begin(self, log: StreamLog, key: IdempotencyKey | None) -> StreamLog:
        record = log.record
        try:
            content = self._codec.write_record(record)
            request = await self._codec.write_request(record.stream_id, record.request, log.size)
            await self._wait_for_store()
            already = await self._availability.call(
                self._store.begin(record.stream_id, content, request, key, archived=record.archived)
            )
        except Unwritable:
            logger.exception("A stream cannot be encoded for the journal", extra={"stream_id": record.stream_id})
            return self._keep_in_memory(log, key)
        except Unavailable:
            self._outbox.unknown[record.stream_id] = UnknownState(1)
            return self._keep_in_memory(log, key)
        if key and already:
            self.cache.remove(log)
            return await self._find_bound(key, already)
        self._outbox.add(log)
        return log

    async def _find_bound(self, key: IdempotencyKey, bound: Bound) -> StreamLog:
        check_fingerprint(key, bound.fingerprint)
        if log := await self.find(bound.stream_id):
            return log
        raise stream_of_key_gone(key)

    def _keep_in_memory(self, log: StreamLog, key: IdempotencyKey | None, *, announced: bool = False) -> StreamLog:
        """Keep a stream in memory only; or return the one that the key was bound to meanwhile."""
        if key and (bound := self._memory.bound(key)):
            self.cache.remove(log)
            return bound
        self._memory.bind(key, log)
        self._outbox.keep_in_memory(log, announced=announced)
        return log

    def _is_live(self, log: StreamLog) -> bool:
        """Whether this process produces a stream or follows its producer."""
        name = log.stream_id
        ours = name in self._outbox.produced or log in self._outbox.memory_only or log in self._beginning
        return ours or name in self._remote.followed

    async def _check_stored(self, log: StreamLog) -> StreamLog | None:
        """Return a finished stream, or None if the store no longer has it."""
        (state,) = await self._availability.call(self._store.look([log.stream_id], present=False))
        if state is StoredState.GONE:
            self.cache.remove(log)
            return None
        return log

    async def _continue_or_release(self, stream_id: str, epoch: int) -> StreamLog | None:
        """Continue a stream, or release it for processes that have its encryption key."""
        try:
            return await self._continue(stream_id, epoch)
        except Unopened as refusal:
            await self._release_unreadable(stream_id, epoch)
            if isinstance(refusal, Changed):
                await self._availability.call(self._store.stored(stream_id))
            return None

    async def _release_unreadable(self, stream_id: str, epoch: int) -> None:
        """Release a stream that this process cannot read, and do not take it over again."""
        self._unreadable.add(stream_id)
        await self._availability.call(self._store.release(stream_id, epoch))

    async def _continue(self, stream_id: str, epoch: int) -> StreamLog | None:
        """Continue a stream that was taken over, with all that is stored of it."""
        log = await self._remote.load(stream_id)
        if log is None or not await self._remote.catch_up(log):
            if log:
                self._remote.remove(log)
            await self._release_unreadable(stream_id, epoch)
            await self._availability.call(self._store.stored(stream_id))  # it has no answer to be stored
            return None
        self._remote.unfollow(stream_id)
        if log.end:
            return None
        if stored := await self._availability.call(self._store.request(stream_id)):
            await self._read_request(log, stored)
        log.epoch, log.numbered = epoch, len(log.events)
        self._outbox.add(log)
        if log.record.archived:
            self.cache.retain(log)
        return log

    async def _read_request(self, log: StreamLog, stored: bytes) -> None:
        """Read the request of a stream that was taken over; without it the engine can only end the stream."""
        try:
            log.set_request(await self._codec.read_request(log.stream_id, stored))
        except Unreadable as error:
            if error.refusal:
                raise error.refusal from None
            logger.exception("A stream's request cannot be read", extra={"stream_id": log.stream_id})

    async def _wait_for_store(self) -> None:
        """Wait for the store within the grace period.

        Raises:
            Unavailable: the outage lasts longer.
        """
        try:
            async with asyncio.timeout(self._availability.grace_s):
                await self._availability.wait()
        except TimeoutError:
            raise Unavailable from None

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._outbox.flush()

    def _cancel_requested(self, stream_id: str) -> None:
        if stream_id in self._outbox.produced:
            self._owner.cancel_requested(stream_id)

    def _abandoned(self, stream_id: str) -> None:
        if stream_id not in self._outbox.produced:
            self._owner.abandoned(stream_id)

    def _replaced(self, log: StreamLog) -> None:
        self.cache.release(log)
        self._owner.replaced(log)
        self._remote.adopt(log)


def _unavailable() -> ServiceError:
    return ServiceError("overloaded", "The journal of streams is unavailable.", retry_after=1)


async def _repeat(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat a step. An unexpected error does not end the journal: it is logged once until a step succeeds.

    The steps report an unavailable store themselves; other exceptions are bugs.
    """
    pause_s = 0.0
    while True:
        try:
            await step()
            pause_s = 0.0
        except Exception:
            if not pause_s:
                logger.exception("A task of the journal failed and is repeated: %s", step.__name__)
            pause_s = min(_LONGEST_PAUSE_S, max(_PAUSE_S, pause_s * 2))
            await asyncio.sleep(pause_s)
