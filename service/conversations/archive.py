"""Responses that are kept: while a stream lives it tells its response, afterwards the database does.

What is to be kept is written in the background, so that a database that is away stands in nobody's way but of those
who refer to what only it knows.
"""

import asyncio
import importlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from service.conversations.factory import Conversations
from service.deltas import Done, Failed
from service.dialects import openai_responses
from service.dialects.table import whole
from service.errors import ServiceError
from service.streams.log import StreamLog

if TYPE_CHECKING:
    from service.conversations.responses import Kept, Responses

logger = logging.getLogger(__name__)

Json = dict[str, Any]

_MOST_WAITING = 256  # responses that wait for a database that is away; beyond them the oldest are let go
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0  # between two tries to write
_CLOSE_S = 5.0  # for the ends that a shutdown brings
_CATCH_UP_S, _LOOK_AGAIN_S = 2.0, 0.05  # for another process to write down what a response of it was asked with
_SWEEP_S = 60.0  # between two looks at what has expired


class Found(NamedTuple):
    """A response as it stands, and its stream while that is kept."""

    response: Json
    log: StreamLog | None


class _Begun(NamedTuple):
    caller: str
    created: float
    input: list[Json]
    response: Json


class Archive:
    """One process's part in the keeping of responses; what others have kept is found as well."""

    def __init__(
        self,
        conversations: Conversations,
        find: Callable[[str], Awaitable[StreamLog | None]],
        *,
        ttl_s: float,
        longest_s: float,
    ) -> None:
        self._conversations = conversations
        self._find = find
        self._ttl_s = ttl_s
        self._longest_s = longest_s
        self._begun: dict[str, _Begun] = {}
        self._ended: dict[str, tuple[Json, int]] = {}
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()
        self._opened: Responses | None = None
        self._swept = float("-inf")

    def begin(self, log: StreamLog, given: list[Json]) -> None:
        """Keep a response that has begun; `given` is the conversation up to it, as items."""
        begun = _Begun(log.record.caller, log.record.created, given, whole(log, "responses"))
        self._put(self._begun, log.stream_id, begun)

    def ended(self, log: StreamLog, end: Done | Failed) -> None:
        """Keep how a response ended, whichever process it began in."""
        if log.record.dialect == "responses" and log.record.policies.store:
            self._put(self._ended, log.stream_id, (whole(log, "responses"), self._expires_ms(log.record.created, end)))

    async def find(self, caller: str, stream_id: str) -> Found | None:
        """Find a caller's response.

        Raises:
            ServiceError: only the database could know, and it is away.
        """
        if log := await self._find(stream_id):
            return Found(whole(log, "responses"), log) if self._is_kept(log, caller) else None
        kept = await self._kept(caller, stream_id)
        if kept is None:
            return None
        return Found(kept.response if kept.ended else openai_responses.interrupted(kept.response), None)

    async def input(self, caller: str, stream_id: str) -> list[Json] | None:
        """Find the conversation up to a caller's response, as items."""
        if (begun := self._begun.get(stream_id)) and begun.caller == caller:
            return begun.input
        kept = await self._kept(caller, stream_id)
        return kept.input if kept else None

    async def conversation(self, caller: str, stream_id: str, found: Found) -> list[Json] | None:
        """Find the conversation up to a caller's response and with it, as items; None where it is not kept."""
        given = await self.input(caller, stream_id)
        for _ in range(int(_CATCH_UP_S / _LOOK_AGAIN_S)):
            if given is not None or found.log is None:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)  # its process writes in the background, and does not tell
            given = await self.input(caller, stream_id)
        return None if given is None else [*given, *found.response["output"]]

    async def items(self, caller: str, names: Sequence[str], room: int) -> tuple[dict[str, Json], int]:
        """Find items of earlier responses by their ids, and how many bytes of `room` the references to them leave.

        Items that do not exist are left out. One response is in memory at a time.

        Raises:
            ServiceError: `too_large`, the items do not fit.
        """
        found: dict[str, Json] = {}
        references = Counter(names)
        for (stream_id, asked), numbers in _homes(references).items():
            items = await self._side(caller, stream_id, asked=asked)
            for name, number in numbers.items():
                if number < len(items) and (asked or items[number]["id"] == name):
                    found[name] = items[number]
                    room = await self.room_beside(items[number], room, references[name])
        return found, room

    @staticmethod
    async def room_beside(items: Json | list[Json], room: int, times: int = 1) -> int:
        """Count how many bytes are left beside items that stand in a request so many times.

        Raises:
            ServiceError: `too_large`, there is not room for as many.
        """
        room -= times * len(await asyncio.to_thread(msgspec.json.encode, items))
        if room < 0:
            raise ServiceError(
                "too_large", "The conversation with the referenced items exceeds ARTESIAN_MAX_BODY: refer to fewer."
            )
        return room

    async def _side(self, caller: str, stream_id: str, *, asked: bool) -> list[Json]:
        """One side of an exchange: what was asked, or what was answered."""
        if asked:
            return await self.input(caller, stream_id) or []
        response = await self.find(caller, stream_id)
        output: list[Json] = response.response["output"] if response else []
        return output

    async def forget(self, caller: str, stream_id: str) -> bool:
        """Forget a response. False: there was none."""
        async with self._writing:
            gone = await (await self._responses()).delete(caller, stream_id)
            begun = self._begun.get(stream_id)
            if begun is not None and begun.caller == caller:
                del self._begun[stream_id]
                gone = True
            if gone:
                self._ended.pop(stream_id, None)
            return gone

    def _put(self, waiting: dict[str, Any], stream_id: str, value: object) -> None:
        waiting[stream_id] = value
        if len(waiting) > _MOST_WAITING:
            del waiting[next(iter(waiting))]
            logger.warning("A response is not kept: too many wait for the database")
        self._dirty.set()

    def _expires_ms(self, created: float, end: Done | Failed | None) -> int:
        """When it can no longer be referred to: so long after its end, or the latest that its end may be."""
        took = self._longest_s if end is None else (end.metrics.latency or 0) if isinstance(end, Done) else 0
        return int((created + took + self._ttl_s) * 1000)

    def _is_kept(self, log: StreamLog, caller: str) -> bool:
        record = log.record
        if record.caller != caller or record.dialect != "responses" or not record.policies.store:
            return False
        return log.end is None or self._expires_ms(record.created, log.end) > time() * 1000

    async def _kept(self, caller: str, stream_id: str) -> "Kept | None":
        return await (await self._responses()).get(caller, stream_id)

    async def _responses(self) -> "Responses":
        if self._opened is None:
            kept = await self._conversations.open()
            await asyncio.to_thread(importlib.import_module, "service.conversations.responses")
            from service.conversations.responses import Responses

            self._opened = Responses(kept.database, kept.seal)
        return self._opened

    async def write(self) -> None:
        """Write down what comes, for as long as it takes."""
        pause = _FIRST_PAUSE_S
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self.flush()
                pause = _FIRST_PAUSE_S
            except ServiceError as error:
                logger.warning("Responses cannot be kept just now: %s", error.code.name)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)
                self._dirty.set()

    async def flush(self) -> None:
        """Write down what waits.

        Raises:
            ServiceError: the database is away.
        """
        async with self._writing:
            for stream_id, begun in list(self._begun.items()):
                await self._write_begun(stream_id, begun)
            for stream_id, (response, expires_ms) in list(self._ended.items()):
                await (await self._responses()).finish(stream_id, response, expires_ms)
                self._ended.pop(stream_id, None)
            now = asyncio.get_running_loop().time()
            if now - self._swept > _SWEEP_S:
                self._swept = now
                await (await self._responses()).expire()

    async def _write_begun(self, stream_id: str, begun: _Begun) -> None:
        responses = await self._responses()
        from service.conversations.responses import Kept

        expires_ms = self._expires_ms(begun.created, None)
        created_ms = int(begun.created * 1000)
        await responses.begin(Kept(stream_id, begun.caller, created_ms, expires_ms, begun.input, begun.response))
        self._begun.pop(stream_id, None)


def _homes(names: Iterable[str]) -> dict[tuple[str, bool], dict[str, int]]:
    """Group ids of items by where they are stored: the stream, and whether they were asked or answered."""
    homes: dict[tuple[str, bool], dict[str, int]] = {}
    for name in names:
        if (home := openai_responses.home(name)) is not None:
            stream_id, number = home
            homes.setdefault((stream_id, name.startswith(f"{openai_responses.ASKED}_")), {})[name] = number
    return homes


@asynccontextmanager
async def open_archive(
    conversations: Conversations,
    find: Callable[[str], Awaitable[StreamLog | None]],
    *,
    ttl_s: float,
    longest_s: float,
) -> AsyncIterator[Archive]:
    """Keep responses while the block lasts, and what has ended by then.

    `find` finds a stream by its id; `longest_s` is what a generation may take.
    """
    archive = Archive(conversations, find, ttl_s=ttl_s, longest_s=longest_s)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(archive.write())
        try:
            yield archive
        finally:
            with suppress(ServiceError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await archive.flush()  # after one that is under way: it must not be left in the middle
            writing.cancel()
