"""A journal that other processes share: logs here, bytes in a store, and one rule between them.

No event is shown before the store has it, unless the stream has been announced as not resumable. What SQLite and Valkey
have in common is here and in the modules around; what each does alone is its `Store`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Self

from service.deltas import Event
from service.encryption import Changed, Unopened
from service.errors import ServiceError
from service.streams.availability import PATIENCE_S, Link
from service.streams.codec import Codec, Unreadable, Unwritable
from service.streams.idempotency import check_fingerprint, stream_of_key_gone
from service.streams.journal import IdempotencyKey, JournalListener, Nobody, Owner
from service.streams.leases import Beat
from service.streams.log import StreamLog
from service.streams.memory import MemoryJournal
from service.streams.outbox import Doubt, Outbox
from service.streams.record import Record, State
from service.streams.remote import Mirrors
from service.streams.store import Bound, JournalStore, StoredState, Unavailable

_STUMBLE_S, _LONGEST_STUMBLE_S = 0.1, 1.0  # pauses after an unexpected error in one of the tasks

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
        self.shelf = self._memory.shelf
        self._beginning: set[StreamLog] = set()
        self._owner: Owner = Nobody()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._link = link = Link(self.name, self._lease_s)
        self._outbox = Outbox(self._store, self._codec, link, self._replaced)
        self.shelf.kept_elsewhere = lambda log: log not in self._outbox.unkept
        self._mirrors = Mirrors(
            self._store,
            self._codec,
            link,
            self.shelf,
            linger_s=max(self._lease_s, 1.0),
            on_cancel=self._cancel_asked,
            on_abandoned=self._abandoned,
        )
        self._beat = Beat(
            self._store,
            link,
            self._outbox,
            self._mirrors,
            lease_s=self._lease_s,
            on_cancel=self._cancel_asked,
            on_abandoned=self._abandoned,
            on_replaced=self._replaced,
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._memory)
            stack.push_async_callback(self._store.close)
            with suppress(Unavailable):
                await link.call(self._store.open())
                link.found()
                self._codec.check_key(await link.call(self._store.sample()))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [
                tasks.create_task(_forever(step), name=f"journal {step.__name__}")
                for step in (self._outbox.write, self._mirrors.listen, self._mirrors.attend, self._beat.beat)
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
        """Whether what is appended is kept just now."""
        return self._link.available

    def attach(self, owner: Owner) -> None:
        """Name who is to be told."""
        self._owner = owner

    @property
    def size(self) -> int:
        """The bytes of the logs that are held here."""
        return self.shelf.size

    def listen(self, listener: JournalListener) -> None:
        """Let somebody hear of commits, and of streams that there is no room for."""
        self._memory.listen(listener)
        self._outbox.on_commit = listener.committed

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Begin a stream, or return the one that `key` is bound to."""
        if bound := self._memory.bound(key):
            return bound
        self.shelf.make_place(archived=record.archived)
        log = StreamLog(record)
        self.shelf.put(log)
        if record.archived:
            self.shelf.retain(log)
        if not record.policies.store:
            return self._keep_here(log, key, told=True)
        # Who has the same key may hear of the stream from the store before we hear that it is begun.
        self._beginning.add(log)
        try:
            return await self._begin(log, key)
        except BaseException:
            self.shelf.take_out(log)
            raise
        finally:
            self._beginning.discard(log)

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to, here or in the store."""
        if log := self._memory.bound(key):
            return log
        try:
            await self._wait_for_store()
            bound = await self._link.call(self._store.bound(key))
        except Unavailable:
            return None
        return await self._find_bound(key, bound) if bound else None

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Keep events and then show them; those of a stream that is produced elsewhere by now go nowhere."""
        self._outbox.append(log, events, state)

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream's log, followed live where another process produces it.

        Raises:
            ServiceError: `overloaded`, it is not here and the journal cannot be asked.
        """
        log = self.shelf.get(stream_id)
        if log and (self._is_live(log) or not self._link.available):
            return log
        try:
            await self._wait_for_store()
            return await self._recall(log) if log else await self._mirrors.load(stream_id)
        except Unavailable:
            if log and stream_id in self.shelf:
                return log
            raise _away() from None

    async def take_over(self, stream_id: str) -> StreamLog | None:
        """Take the lease of an abandoned stream."""
        ours = stream_id in self._outbox.produced or self.shelf.get(stream_id) in self._outbox.unkept
        if ours or stream_id in self._unreadable or not self._link.available or self.shelf.full:
            return None
        with suppress(Unavailable):
            epoch = await self._link.call(self._store.take_over(stream_id, released_only=self._link.quiet))
            if epoch is not None:
                return await self._go_on_or_leave(stream_id, epoch)
        return None

    async def release(self, log: StreamLog) -> None:
        """Give up a lease once all that was appended is kept; the log goes on as its new producer fills it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._outbox.flush(log)
        if log.stream_id not in self._outbox.produced:
            return  # it has ended, or is not kept, or is another's
        self._outbox.let_go(log)
        self.shelf.release(log)
        with suppress(Unavailable):  # the lease runs out by itself
            await self._link.call(self._store.release(log.stream_id, log.epoch))
        self._mirrors.adopt(log)

    async def ask_cancel(self, stream_id: str) -> None:
        """Tell the producer of a stream, wherever it is, that the stream is cancelled.

        Raises:
            ServiceError: `overloaded`, the journal cannot be asked.
        """
        log = self.shelf.get(stream_id)
        if stream_id in self._outbox.produced or log in self._outbox.unkept:
            self._owner.cancel_asked(stream_id)
            return
        try:
            await self._link.call(self._store.ask_cancel(stream_id))
        except Unavailable:
            raise _away() from None

    async def is_read_elsewhere(self, log: StreamLog) -> bool:
        """Whether other processes have readers of it; while nobody can tell, those that had some may still."""
        if log in self._outbox.unkept:
            return False
        try:
            await self._wait_for_store()
            return await self._link.call(self._store.is_read_elsewhere(log.stream_id))
        except Unavailable:
            return True

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""
        await self._memory.unbind(key)
        with suppress(Unavailable):
            await self._link.call(self._store.unbind(key))

    async def unstored(self) -> Collection[str]:
        """Name finished streams whose answers are not stored; what other processes have stored expires here too."""
        waiting = self.shelf.unstored  # before the store is asked: what ends meanwhile is not in its answer
        try:
            names = frozenset(await self._link.call(self._store.unstored()) if self.available else ())
        except Unavailable:
            return ()
        if self.available:
            for log in waiting:
                if log.stream_id not in names and log not in self._outbox.unkept:
                    self.shelf.release(log)
        return names

    async def retain(self, log: StreamLog) -> bool:
        """Retain a finished log until its answer is stored, as far as memory allows."""
        if self.shelf.crowded or log.stream_id not in self.shelf:
            return False
        self.shelf.retain(log)
        return True

    async def stored(self, stream_id: str) -> None:
        """Let a stream expire, here and in the store; one that is unavailable names it again."""
        log = self.shelf.get(stream_id)
        if log:
            self.shelf.release(log)
        if log is None or log not in self._outbox.unkept:
            with suppress(Unavailable):
                await self._link.call(self._store.stored(stream_id))

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream at once; a store that is away forgets it when it is back."""
        self._mirrors.leave(log.stream_id)
        self._outbox.let_go(log)
        self.shelf.take_out(log)
        try:
            await self._link.call(self._store.purge(log.stream_id))
        except Unavailable:
            self._outbox.doubtful[log.stream_id] = Doubt(None)

    async def _begin(self, log: StreamLog, key: IdempotencyKey | None) -> StreamLog:
        record = log.record
        try:
            content = self._codec.write_record(record)
            request = await self._codec.write_request(record.stream_id, record.request, log.size)
            await self._wait_for_store()
            already = await self._link.call(
                self._store.begin(record.stream_id, content, request, key, archived=record.archived)
            )
        except Unwritable:
            logger.exception("A stream cannot be kept", extra={"stream_id": record.stream_id})
            return self._keep_here(log, key)
        except Unavailable:
            self._outbox.doubtful[record.stream_id] = Doubt(1)
            return self._keep_here(log, key)
        if key and already:
            self.shelf.take_out(log)
            return await self._find_bound(key, already)
        self._outbox.hold(log)
        return log

    async def _find_bound(self, key: IdempotencyKey, bound: Bound) -> StreamLog:
        check_fingerprint(key, bound.fingerprint)
        if log := await self.find(bound.stream_id):
            return log
        raise stream_of_key_gone(key)

    def _keep_here(self, log: StreamLog, key: IdempotencyKey | None, *, told: bool = False) -> StreamLog:
        """Keep a stream in memory alone; or return the one that has the key by now."""
        if key and (bound := self._memory.bound(key)):
            self.shelf.take_out(log)
            return bound
        self._memory.bind(key, log)
        self._outbox.keep_apart(log, told=told)
        return log

    def _is_live(self, log: StreamLog) -> bool:
        """Whether this process has the last word on a stream, or is told of every one."""
        name = log.stream_id
        ours = name in self._outbox.produced or log in self._outbox.unkept or log in self._beginning
        return ours or name in self._mirrors.followed

    async def _recall(self, log: StreamLog) -> StreamLog | None:
        """Return a finished stream, unless the store has let it go."""
        (standing,) = await self._link.call(self._store.look([log.stream_id], present=False))
        if standing is StoredState.GONE:
            self.shelf.take_out(log)
            return None
        return log

    async def _go_on_or_leave(self, stream_id: str, epoch: int) -> StreamLog | None:
        """Go on with a stream, or leave it for good to those who have the key that it is encrypted with."""
        try:
            return await self._go_on(stream_id, epoch)
        except Unopened as refusal:
            await self._pass_over(stream_id, epoch)
            if isinstance(refusal, Changed):
                await self._link.call(self._store.stored(stream_id))
            return None

    async def _pass_over(self, stream_id: str, epoch: int) -> None:
        """Give a stream back that this process cannot read, and do not take it over again."""
        self._unreadable.add(stream_id)
        await self._link.call(self._store.release(stream_id, epoch))

    async def _go_on(self, stream_id: str, epoch: int) -> StreamLog | None:
        """Make a stream that was taken over one of this process's own, with all that was ever kept of it."""
        log = await self._mirrors.load(stream_id)
        if log is None or not await self._mirrors.catch_up(log):
            if log:
                self._mirrors.lose(log)
            await self._pass_over(stream_id, epoch)
            await self._link.call(self._store.stored(stream_id))  # there is no answer that could be
            return None
        self._mirrors.leave(stream_id)
        if log.end:
            return None
        if stored := await self._link.call(self._store.request(stream_id)):
            await self._read_request(log, stored)
        log.epoch, log.numbered = epoch, len(log.events)
        self._outbox.hold(log)
        if log.record.archived:
            self.shelf.retain(log)
        return log

    async def _read_request(self, log: StreamLog, stored: bytes) -> None:
        """Read the request of a stream that was taken over; without it the engine can only end the stream."""
        try:
            log.hold_request(await self._codec.read_request(log.stream_id, stored))
        except Unreadable as error:
            if error.refusal:
                raise error.refusal from None
            logger.exception("A stream's request cannot be read", extra={"stream_id": log.stream_id})

    async def _wait_for_store(self) -> None:
        """Bear a short loss in silence.

        Raises:
            Unavailable: it lasts.
        """
        try:
            async with asyncio.timeout(self._link.patience_s):
                await self._link.wait()
        except TimeoutError:
            raise Unavailable from None

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._outbox.flush()

    def _cancel_asked(self, stream_id: str) -> None:
        if stream_id in self._outbox.produced:
            self._owner.cancel_asked(stream_id)

    def _abandoned(self, stream_id: str) -> None:
        if stream_id not in self._outbox.produced:
            self._owner.abandoned(stream_id)

    def _replaced(self, log: StreamLog) -> None:
        self.shelf.release(log)
        self._owner.replaced(log)
        self._mirrors.adopt(log)


def _away() -> ServiceError:
    return ServiceError("overloaded", "The journal of streams cannot be reached just now.", retry_after=1)


async def _forever(step: Callable[[], Awaitable[None]]) -> None:
    """Do a step again and again. An unexpected error does not end the journal: it is logged once until a step succeeds.

    The steps report an unavailable store themselves; what they raise is a mistake of ours.
    """
    pause_s = 0.0
    while True:
        try:
            await step()
            pause_s = 0.0
        except Exception:
            if not pause_s:
                logger.exception("A task of the journal failed and is repeated: %s", step.__name__)
            pause_s = min(_LONGEST_STUMBLE_S, max(_STUMBLE_S, pause_s * 2))
            await asyncio.sleep(pause_s)
