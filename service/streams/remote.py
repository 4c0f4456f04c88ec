"""Streams that other processes produce, as this one's readers see them.

One follower for the whole process reads what the store says and feeds the logs; readers wait on their log as always and
none of them has a connection of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from service.deltas import Event, Start, Status
from service.streams.availability import Link
from service.streams.cache import Shelf
from service.streams.codec import Codec, Unreadable
from service.streams.keyed_locks import KeyedLocks
from service.streams.log import StreamLog
from service.streams.record import State
from service.streams.store import Appended, CancelAsked, JournalStore, News, Released, Stored, StoredState, Unavailable

logger = logging.getLogger(__name__)


class Mirrors:
    """The streams that this process follows. `on_cancel` and `on_abandoned` are told of stream ids.

    One that nobody reads is followed for `linger_s` more: whoever found it is about to read, who left may come back.
    """

    def __init__(
        self,
        store: JournalStore,
        codec: Codec,
        link: Link,
        shelf: Shelf,
        *,
        linger_s: float,
        on_cancel: Callable[[str], None],
        on_abandoned: Callable[[str], None],
    ) -> None:
        self.followed: dict[str, StreamLog] = {}
        self._store = store
        self._codec = codec
        self._link = link
        self._shelf = shelf
        self._linger_s = linger_s
        self._on_cancel = on_cancel
        self._on_abandoned = on_abandoned
        self._loop = asyncio.get_running_loop()
        self._idle_since: dict[str, float] = {}
        self._unplaced: set[str] = set()  # followed here, but the store has not yet been told from where
        self._loading = KeyedLocks()
        self._left: set[str] = set()
        self._attention = asyncio.Event()

    async def load(self, stream_id: str) -> StreamLog | None:
        """Read a stream from the store, and follow it where it goes on. Many readers at once make one call.

        Raises:
            Unavailable: the store cannot be asked.
        """
        async with self._loading.of(stream_id):
            return self._shelf.get(stream_id) or await self._load(stream_id)

    async def recall(self, stream_id: str) -> tuple[StreamLog, Stored] | None:
        """Read a stream from the store.

        Raises:
            Unavailable: the store cannot be asked.
            Unopened: it is encrypted with a key that is not ours.
        """
        stored = await self._link.call(self._store.read(stream_id))
        if stored is None:
            return None
        try:
            log = StreamLog(self._codec.read_record(stream_id, stored.record), epoch=stored.epoch)
        except Unreadable as error:
            logger.exception("A stream cannot be read", extra={"stream_id": stream_id})
            if error.refusal:
                raise error.refusal from None
            return None
        return (log, stored) if self._fill(log, stored) else None

    async def catch_up(self, log: StreamLog) -> Stored | None:
        """Show a log all that the store has; None where it has lost the stream.

        Raises:
            Unavailable: the store cannot be asked.
        """
        stored = await self._link.call(self._store.read(log.stream_id))
        return stored if stored and self._fill(log, stored) else None

    def adopt(self, log: StreamLog) -> None:
        """Follow a stream that was produced here: what its readers have seen stays, and they go on with the rest."""
        log.release_request()
        self._follow(log)
        self._unplaced.add(log.stream_id)
        self._attention.set()

    def leave(self, stream_id: str) -> StreamLog | None:
        """Follow a stream no more."""
        self._store.unfollow(stream_id)
        self._unplaced.discard(stream_id)
        self._idle_since.pop(stream_id, None)
        return self.followed.pop(stream_id, None)

    async def listen(self) -> None:
        """Wait for news from the store, and feed the logs with them."""
        await self._link.wait()
        try:
            news = await self._store.news()
        except Unavailable as error:
            self._link.lose(error)
            return
        for item in news:
            await self._take(item)

    async def attend(self) -> None:
        """Do what cannot wait for the next beat: adopt streams, and take leave of those whose last reader has left."""
        await self._attention.wait()
        self._attention.clear()
        with suppress(Unavailable):  # the next beat tries again; a presence is believed for one lease only
            await self._place_all()
            while self._left:
                stream_id = self._left.pop()
                if (log := self.followed.get(stream_id)) and not log.readers:
                    await self._link.call(self._store.leave(stream_id))

    async def refresh(self) -> None:
        """Look after what is followed: who has gone, who reads, and what nobody reads any more."""
        self._leave_idle()
        await self._place_all()
        for present in (True, False):
            names = [name for name, log in self.followed.items() if log.busy is present]
            standings = await self._link.call(self._store.look(names, present=present)) if names else []
            for name, standing in zip(names, standings, strict=True):
                await self._note(name, standing)

    def feed(self, log: StreamLog, first: int, events: Sequence[Event]) -> bool:
        """Show a log what it has not shown yet of a batch. False: events before it are missing."""
        shown = len(log.events)
        if first > shown + 1:
            return False
        if fresh := events[shown + 1 - first :]:
            if not log.end:
                log.state = _state_after(fresh, log.state)
            log.show(shown + 1, fresh)
        return True

    def _fill(self, log: StreamLog, stored: Stored) -> bool:
        try:
            return all(self.feed(log, first, self._read(log, first, content)) for first, content in stored.batches)
        except Unreadable:
            logger.exception("A stream cannot be read", extra={"stream_id": log.stream_id})
            return False

    def _read(self, log: StreamLog, first: int, content: bytes) -> list[Event]:
        return self._codec.read_events(log.stream_id, first, content)

    async def _load(self, stream_id: str) -> StreamLog | None:
        self._shelf.make_place()
        if not (recalled := await self.recall(stream_id)):
            return None
        log, stored = recalled
        self._shelf.put(log)
        if not log.end:
            self._follow(log)
            await self._tell(log, stored)
        return log

    def _follow(self, log: StreamLog) -> None:
        self.followed[log.stream_id] = log
        self._idle_since[log.stream_id] = self._loop.time()
        log.on_empty = self._emptied

    def _emptied(self, log: StreamLog) -> None:
        self._left.add(log.stream_id)
        self._attention.set()

    async def _tell(self, log: StreamLog, stored: Stored) -> None:
        """Let the store know that a stream is followed and read here, and from where."""
        await self._link.call(self._store.follow(log.stream_id, stored.position))
        await self._link.call(self._store.look([log.stream_id], present=True))

    async def _place_all(self) -> None:
        while self._unplaced:
            await self._place(self.followed[next(iter(self._unplaced))])

    async def _place(self, log: StreamLog) -> None:
        stored = await self.catch_up(log)
        self._unplaced.discard(log.stream_id)
        if self.followed.get(log.stream_id) is not log:
            return  # taken over again meanwhile
        if stored is None:
            self.lose(log)
        elif log.end:
            self.leave(log.stream_id)
        else:
            await self._tell(log, stored)

    async def _take(self, item: News) -> None:
        match item:
            case CancelAsked(stream_id):
                self._on_cancel(stream_id)
            case Released(stream_id):
                self._on_abandoned(stream_id)
            case Appended(stream_id, first, content):
                if log := self.followed.get(stream_id):
                    await self._append(log, first, content)

    async def _append(self, log: StreamLog, first: int, content: bytes) -> None:
        try:
            whole = self.feed(log, first, self._read(log, first, content)) or await self.catch_up(log) is not None
        except Unreadable:
            whole = False
        except Unavailable:
            return  # it is read again when the store is back
        if not whole:
            self.lose(log)
        elif log.end:
            self.leave(log.stream_id)

    async def _note(self, stream_id: str, standing: StoredState) -> None:
        log = self.followed.get(stream_id)
        if log is None:
            return
        if standing is StoredState.GONE:
            self.lose(log)
        elif standing is StoredState.ENDED and not log.end:
            if await self.catch_up(log) is None:
                self.lose(log)
            else:
                self.leave(stream_id)
        elif standing is StoredState.RELEASED or (standing is StoredState.EXPIRED and not self._link.quiet):
            self._on_abandoned(stream_id)

    def lose(self, log: StreamLog) -> None:
        """Let a stream go that the store has lost: its readers are told, and see no gap."""
        self.leave(log.stream_id)
        self._shelf.take_out(log)

    def _leave_idle(self) -> None:
        now = self._loop.time()
        for stream_id, log in list(self.followed.items()):
            if log.busy:
                self._idle_since[stream_id] = now
            elif now - self._idle_since[stream_id] > self._linger_s:
                self.lose(log)


def _state_after(events: Sequence[Event], state: State) -> State:
    """Tell a mirror's state from what its producer says."""
    for event in reversed(events):
        if isinstance(event, Status):
            return "queued" if event.state == "queued" else "starting" if state == "queued" else state
        if not isinstance(event, Start):
            return "streaming"
    return state
