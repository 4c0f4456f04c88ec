"""Stored responses: found in the journal while it has their stream, in the database afterwards.

Rows are written in the background, so an outage of the database affects only requests for what the database alone has.
"""

import asyncio
import importlib
import logging
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from service.conversations.factory import Conversations
from service.conversations.faults import Outage
from service.conversations.leftovers import Leftovers
from service.deltas import Done, Failed
from service.dialects import openai_responses
from service.dialects.table import whole
from service.errors import ServiceError
from service.streams.journal import Journal
from service.streams.log import StreamLog

if TYPE_CHECKING:
    from service.conversations.responses import Responses, StoredResponse

logger = logging.getLogger(__name__)

Json = dict[str, Any]

_LARGE_BYTES = 65_536  # of a record's input: a larger one is compressed in a thread
_QUICK = 1  # zlib's level
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between two sweeps while the database is unavailable
_EXPIRE_S = 60.0  # between two deletions of expired responses


class Found(NamedTuple):
    """A response, and its stream while the journal has it."""

    response: Json
    log: StreamLog | None


async def pack_input(items: list[Json]) -> bytes:
    """Compress the input items of a response, for its stream's record."""
    content = msgspec.json.encode(items)
    if len(content) > _LARGE_BYTES:
        return await asyncio.to_thread(zlib.compress, content, _QUICK)
    return zlib.compress(content, _QUICK)


async def _unpack_input(packed: bytes) -> list[Json]:
    def unpack() -> list[Json]:
        return msgspec.json.decode(zlib.decompress(packed), type=list[Json])

    return await asyncio.to_thread(unpack) if len(packed) > _LARGE_BYTES else unpack()


class Archive:
    """Stores the responses of this process, and finds those of all processes."""

    def __init__(
        self,
        conversations: Conversations,
        journal: Journal,
        tasks: asyncio.TaskGroup,
        *,
        ttl_s: float,
        longest_s: float,
    ) -> None:
        self._conversations = conversations
        self._tasks = tasks
        self._unpublished: set[asyncio.Task[None]] = set()
        self._journal = journal
        self._unstored = conversations.unstored
        self._ttl_s = ttl_s
        self._longest_s = longest_s
        self._beginning: deque[StreamLog] = deque()
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()  # the row of a started response is not written while its end is
        self._begun: set[str] = set()  # running responses whose row this process has written
        self._opened: Responses | None = None
        self._expired_at = float("-inf")
        self._beginnings = Outage(
            "Responses cannot be stored at their start; they are stored at their end",
            "Responses are stored at their start again",
            first_pause_s=_FIRST_PAUSE_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )

    def begin(self, log: StreamLog) -> None:
        """Queue a row for a response that has started: it remains if this process and its journal are lost."""
        if log.end is None and log.stream_id not in self._begun:
            self._beginning.append(log)
            self._wanted.set()

    def ended(self, log: StreamLog, _: Done | Failed) -> None:
        """Store a response that has ended, whichever process it started in."""
        if log.record.dialect != "responses" or not log.record.archived:
            return
        if log.end:
            self._unstored.add(log.stream_id, partial(self._store, log))
        else:
            waiting = self._tasks.create_task(self._add_when_published(log))
            self._unpublished.add(waiting)
            waiting.add_done_callback(self._unpublished.discard)

    async def _add_when_published(self, log: StreamLog) -> None:
        """Store a response whose end the journal has not committed yet."""
        with suppress(ServiceError):  # it was purged meanwhile
            await log.wait_for_end()
            self._unstored.add(log.stream_id, partial(self._store, log))

    def close(self) -> None:
        """Leave what the journal has not committed to other processes."""
        for waiting in self._unpublished:
            waiting.cancel()

    async def find(self, caller: str, stream_id: str) -> Found | None:
        """Find a caller's response.

        Raises:
            ServiceError: the journal does not have it and the database is unavailable.
        """
        if log := await self._journal.find(stream_id):
            return Found(whole(log, "responses"), log) if self._is_readable(log, caller) else None
        stored = await self._stored(caller, stream_id)
        if stored is None:
            return None
        return Found(stored.response if stored.ended else openai_responses.interrupted(stored.response), None)

    async def input(self, caller: str, stream_id: str) -> list[Json] | None:
        """Return the conversation up to a caller's response, as items."""
        log = await self._journal.find(stream_id)
        if log and self._is_readable(log, caller) and log.record.input:
            return await _unpack_input(log.record.input)
        stored = await self._stored(caller, stream_id)
        return stored.input if stored else None

    async def conversation(self, caller: str, stream_id: str, found: Found) -> list[Json] | None:
        """Return the conversation including a caller's response, as items; None if its input is not stored."""
        items = await self.input(caller, stream_id)
        return None if items is None else [*items, *found.response["output"]]

    async def items(self, caller: str, names: Sequence[str], room: int) -> tuple[dict[str, Json], int]:
        """Find items of earlier responses by their ids; also return the bytes of `room` that the references leave.

        Unknown ids are left out. One response is in memory at a time.

        Raises:
            ServiceError: `too_large`: the items do not fit.
        """
        found: dict[str, Json] = {}
        references = Counter(names)
        for (stream_id, is_input), numbers in _group_by_stream(references).items():
            items = await self._items_of(caller, stream_id, is_input=is_input)
            for name, number in numbers.items():
                if number < len(items) and (is_input or items[number]["id"] == name):
                    found[name] = items[number]
                    room = await self.room_beside(items[number], room, references[name])
        return found, room

    @staticmethod
    async def room_beside(items: Json | list[Json], room: int, times: int = 1) -> int:
        """Return how many bytes of `room` are left after items that a request contains `times` times.

        Raises:
            ServiceError: `too_large`: they do not fit.
        """
        room -= times * len(await asyncio.to_thread(msgspec.json.encode, items))
        if room < 0:
            raise ServiceError(
                "too_large", "The conversation with the referenced items exceeds ARTESIAN_MAX_BODY: refer to fewer."
            )
        return room

    async def _items_of(self, caller: str, stream_id: str, *, is_input: bool) -> list[Json]:
        """Return the input or the output items of a response."""
        if is_input:
            return await self.input(caller, stream_id) or []
        response = await self.find(caller, stream_id)
        output: list[Json] = response.response["output"] if response else []
        return output

    async def delete(self, caller: str, stream_id: str) -> bool:
        """Delete a response. False: there was none."""
        responses = await self._responses()
        async with self._writing:
            gone = await responses.delete(caller, stream_id)
            self._unstored.drop(stream_id)
        return gone

    def _expires_ms(self, created: float, end: Done | Failed | None) -> int:
        """Return when a response expires: its time to live after its end, or after the latest possible end."""
        took = self._longest_s if end is None else (end.metrics.latency or 0) if isinstance(end, Done) else 0
        return int((created + took + self._ttl_s) * 1000)

    def _is_readable(self, log: StreamLog, caller: str) -> bool:
        record = log.record
        if record.caller != caller or record.dialect != "responses" or not record.archived:
            return False
        return log.end is None or self._expires_ms(record.created, log.end) > time() * 1000

    async def _stored(self, caller: str, stream_id: str) -> "StoredResponse | None":
        return await (await self._responses()).get(caller, stream_id)

    async def _responses(self) -> "Responses":
        if self._opened is None:
            stored = await self._conversations.open()
            await asyncio.to_thread(importlib.import_module, "service.conversations.responses")
            from service.conversations.responses import Responses

            self._opened = Responses(stored.database, stored.seal)
        return self._opened

    async def _store(self, log: StreamLog) -> None:
        """Write the end of a response.

        A missing row was deleted meanwhile, or never written: then the journal still has the stream.

        Raises:
            ServiceError: the database is unavailable.
        """
        responses = await self._responses()
        record, end = log.record, log.end
        if end is None:
            return  # it was purged
        response, expires_ms = whole(log, "responses"), self._expires_ms(record.created, end)
        async with self._writing:
            if log.stream_id not in self._unstored:
                return  # it was deleted
            written = await responses.finish(log.stream_id, response, expires_ms)
            if not written and log.stream_id not in self._begun and await self._journal.find(log.stream_id):
                await responses.put(await self._row(log, response, expires_ms, ended=True))
            self._begun.discard(log.stream_id)

    async def _row(self, log: StreamLog, response: Json, expires_ms: int, *, ended: bool) -> "StoredResponse":
        from service.conversations.responses import StoredResponse

        record = log.record
        items = await _unpack_input(record.input)
        return StoredResponse(
            log.stream_id, record.caller, int(record.created * 1000), expires_ms, items, response, ended
        )

    async def write_begun(self) -> None:
        """Write the rows of started responses, for ever. A row that cannot be written now is written at the end."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._beginning:
                log = self._beginning.popleft()
                async with self._writing:
                    if not log.end and log.record.input:
                        await self._write_begun(log)

    async def _write_begun(self, log: StreamLog) -> None:
        try:
            responses = await self._responses()
            if await self._journal.find(log.stream_id) is not log:
                return  # it was deleted
            row = await self._row(log, whole(log, "responses"), self._expires_ms(log.record.created, None), ended=False)
            await responses.begin(row)
        except ServiceError as error:
            self._beginnings.failed(error)
        except Exception:  # the outermost handler of one response: it is stored again at its end
            logger.exception("A response cannot be stored at its start", extra={"stream_id": log.stream_id})
        else:
            self._beginnings.over()
            self._begun.add(log.stream_id)

    async def expire(self) -> None:
        """Delete expired responses, if the database is in use and the interval has passed."""
        now = asyncio.get_running_loop().time()
        if self._opened and now - self._expired_at > _EXPIRE_S:
            self._expired_at = now
            await self._opened.expire()


def _group_by_stream(names: Iterable[str]) -> dict[tuple[str, bool], dict[str, int]]:
    """Group ids of items by where they are stored: the stream, and whether they are input or output."""
    grouped: dict[tuple[str, bool], dict[str, int]] = {}
    for name in names:
        if (home := openai_responses.home(name)) is not None:
            stream_id, number = home
            grouped.setdefault((stream_id, name.startswith(f"{openai_responses.ASKED}_")), {})[name] = number
    return grouped


@asynccontextmanager
async def open_archive(
    conversations: Conversations, journal: Journal, *, ttl_s: float, longest_s: float, sweep_s: float
) -> AsyncIterator[Archive]:
    """Store responses while the block lasts. `longest_s` is the longest duration of a generation."""
    async with asyncio.TaskGroup() as tasks:
        archive = Archive(conversations, journal, tasks, ttl_s=ttl_s, longest_s=longest_s)
        leftovers = Leftovers(conversations, archive.ended, archive.expire, journal)
        running = [tasks.create_task(archive.write_begun()), tasks.create_task(leftovers.sweep(sweep_s))]
        try:
            yield archive
        finally:
            archive.close()
            for task in running:
                task.cancel()
