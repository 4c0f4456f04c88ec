"""Streams that other processes produce, followed for the readers of this process.

One follower for the whole process receives the store's news and fills the logs; readers follow their log as usual and
need no connection of their own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from service.deltas import Event, Start, Status
from service.streams.availability import Availability
from service.streams.cache import StreamCache
from service.streams.codec import Codec, Unreadable
from service.streams.keyed_locks import KeyedLocks
from service.streams.log import StreamLog
from service.streams.record import State
from service.streams.store import (
    Appended,
    CancelRequested,
    JournalStore,
    News,
    Released,
    Stored,
    StoredState,
    Unavailable,
)

logger = logging.getLogger(__name__)


class RemoteStreams:
    """The streams that this process follows. `on_cancel` and `on_abandoned` are called with stream ids.

    A stream without readers is followed for `linger_s` more: a reader may be about to start, or to reconnect.
    """

    def __init__(
        self,
        store: JournalStore,
        codec: Codec,
        availability: Availability,
        cache: StreamCache,
        *,
        linger_s: float,
        on_cancel: Callable[[str], None],
        on_abandoned: Callable[[str], None],
    ) -> None:
        self.followed: dict[str, StreamLog] = {}
        self._store = store
        self._codec = codec
        self._availability = availability
        self._cache = cache
        self._linger_s = linger_s
        self._on_cancel = on_cancel
        self._on_abandoned = on_abandoned
        self._loop = asyncio.get_running_loop()
        self._idle_since: dict[str, float] = {}
        self._adopted: set[str] = set()  # followed here, but the store does not know the position yet
        self._loading = KeyedLocks()
        self._unread: set[str] = set()
        self._pending = asyncio.Event()

    async def load(self, stream_id: str) -> StreamLog | None:
        """Read a stream from the store and follow it while it runs. Concurrent readers share one call.

        Raises:
            Unavailable: the store is unavailable.
        """
        async with self._loading.of(stream_id):
            return self._cache.get(stream_id) or await self._load(stream_id)

    async def read(self, stream_id: str) -> tuple[StreamLog, Stored] | None:
        """Read a stream from the store.

        Raises:
            Unavailable: the store is unavailable.
            Unopened: the stream is encrypted with another key.
        """
        stored = await self._availability.call(self._store.read(stream_id))
        if stored is None:
            return None
        try:
            log = StreamLog(self._codec.read_record(stream_id, stored.record), epoch=stored.epoch)
        except Unreadable as error:
            logger.exception("A stored stream cannot be read", extra={"stream_id": stream_id})
            if error.refusal:
                raise error.refusal from None
            return None
        return (log, stored) if self._fill(log, stored) else None

    async def catch_up(self, log: StreamLog) -> Stored | None:
        """Add all stored events to a log; None if the store no longer has the stream.

        Raises:
            Unavailable: the store is unavailable.
        """
        stored = await self._availability.call(self._store.read(log.stream_id))
        return stored if stored and self._fill(log, stored) else None

    def adopt(self, log: StreamLog) -> None:
        """Follow a stream that was produced here: its log keeps its events, and the new producer's are added."""
        log.release_request()
        self._follow(log)
        self._adopted.add(log.stream_id)
        self._pending.set()

    def unfollow(self, stream_id: str) -> StreamLog | None:
        """Stop following a stream."""
        self._store.unfollow(stream_id)
        self._adopted.discard(stream_id)
        self._idle_since.pop(stream_id, None)
        return self.followed.pop(stream_id, None)

    async def listen(self) -> None:
        """Wait for news from the store, and add them to the logs."""
        await self._availability.wait()
        try:
            news = await self._store.news()
        except Unavailable as error:
            self._availability.mark_unavailable(error)
            return
        for item in news:
            await self._apply(item)

    async def synchronise(self) -> None:
        """Do what cannot wait for the next renewal: follow adopted streams, report streams without readers."""
        await self._pending.wait()
        self._pending.clear()
        with suppress(Unavailable):  # the next renewal tries again; a presence expires with its lease
            await self._follow_adopted()
            while self._unread:
                stream_id = self._unread.pop()
                if (log := self.followed.get(stream_id)) and not log.readers:
                    await self._availability.call(self._store.leave(stream_id))

    async def refresh(self) -> None:
        """Check the followed streams: report which have readers, and remove those that have gone or are not read."""
        self._remove_idle()
        await self._follow_adopted()
        for present in (True, False):
            names = [name for name, log in self.followed.items() if log.busy is present]
            states = await self._availability.call(self._store.look(names, present=present)) if names else []
            for name, state in zip(names, states, strict=True):
                await self._apply_state(name, state)

    def feed(self, log: StreamLog, first: int, events: Sequence[Event]) -> bool:
        """Add the new events of a batch to a log. False: events before the batch are missing."""
        shown = len(log.events)
        if first > shown + 1:
            return False
        if fresh := events[shown + 1 - first :]:
            if not log.end:
                log.state = _state_after(fresh, log.state)
            log.publish(shown + 1, fresh)
        return True

    def _fill(self, log: StreamLog, stored: Stored) -> bool:
        try:
            return all(self.feed(log, first, self._decode(log, first, content)) for first, content in stored.batches)
        except Unreadable:
            logger.exception("A stored stream cannot be read", extra={"stream_id": log.stream_id})
            return False

    def _decode(self, log: StreamLog, first: int, content: bytes) -> list[Event]:
        return self._codec.read_events(log.stream_id, first, content)

    async def _load(self, stream_id: str) -> StreamLog | None:
        self._cache.check_capacity()
        if not (read := await self.read(stream_id)):
            return None
        log, stored = read
        self._cache.add(log)
        if not log.end:
            self._follow(log)
            await self._report(log, stored)
        return log

    def _follow(self, log: StreamLog) -> None:
        self.followed[log.stream_id] = log
        self._idle_since[log.stream_id] = self._loop.time()
        log.on_empty = self._last_reader_left

    def _last_reader_left(self, log: StreamLog) -> None:
        self._unread.add(log.stream_id)
        self._pending.set()

    async def _report(self, log: StreamLog, stored: Stored) -> None:
        """Report to the store that a stream is followed and read here, and from which position."""
        await self._availability.call(self._store.follow(log.stream_id, stored.position))
        await self._availability.call(self._store.look([log.stream_id], present=True))

    async def _follow_adopted(self) -> None:
        while self._adopted:
            await self._follow_one(self.followed[next(iter(self._adopted))])

    async def _follow_one(self, log: StreamLog) -> None:
        stored = await self.catch_up(log)
        self._adopted.discard(log.stream_id)
        if self.followed.get(log.stream_id) is not log:
            return  # taken over again meanwhile
        if stored is None:
            self.remove(log)
        elif log.end:
            self.unfollow(log.stream_id)
        else:
            await self._report(log, stored)

    async def _apply(self, item: News) -> None:
        match item:
            case CancelRequested(stream_id):
                self._on_cancel(stream_id)
            case Released(stream_id):
                self._on_abandoned(stream_id)
            case Appended(stream_id, first, content):
                if log := self.followed.get(stream_id):
                    await self._append(log, first, content)

    async def _append(self, log: StreamLog, first: int, content: bytes) -> None:
        try:
            whole = self.feed(log, first, self._decode(log, first, content)) or await self.catch_up(log) is not None
        except Unreadable:
            whole = False
        except Unavailable:
            return  # it is read again when the store is available
        if not whole:
            self.remove(log)
        elif log.end:
            self.unfollow(log.stream_id)

    async def _apply_state(self, stream_id: str, state: StoredState) -> None:
        log = self.followed.get(stream_id)
        if log is None:
            return
        if state is StoredState.GONE:
            self.remove(log)
        elif state is StoredState.ENDED and not log.end:
            if await self.catch_up(log) is None:
                self.remove(log)
            else:
                self.unfollow(stream_id)
        elif state is StoredState.RELEASED or (
            state is StoredState.EXPIRED and not self._availability.expiry_suspended
        ):
            self._on_abandoned(stream_id)

    def remove(self, log: StreamLog) -> None:
        """Remove a stream that the store has lost; its readers get an error, so that they see no gap."""
        self.unfollow(log.stream_id)
        self._cache.remove(log)

    def _remove_idle(self) -> None:
        now = self._loop.time()
        for stream_id, log in list(self.followed.items()):
            if log.busy:
                self._idle_since[stream_id] = now
            elif now - self._idle_since[stream_id] > self._linger_s:
                self.remove(log)


def _state_after(events: Sequence[Event], state: State) -> State:
    """Derive the state of a remote stream from its new events."""
    for event in reversed(events):
        if isinstance(event, Status):
            return "queued" if event.state == "queued" else "starting" if state == "queued" else state
        if not isinstance(event, Start):
            return "streaming"
    return state
