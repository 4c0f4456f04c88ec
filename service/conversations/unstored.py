"""Finished answers that are not in the database yet: one writer stores all of them and repeats failed attempts.

Each answer stays in the journal meanwhile, which also bounds their number.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from service.conversations.faults import Outage
from service.errors import ServiceError
from service.streams.journal import Journal

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0  # between two attempts
_CLOSING_PAUSE_S = 0.25  # the same, while the service shuts down
_TRIES = 3  # consecutive failures after which the other answers wait too; a single answer may be refused for itself
_NAMED = 100  # ids in one log line


class _Answer(NamedTuple):
    store: Callable[[], Awaitable[None]]
    stored: asyncio.Event


class Unstored:
    """The answers of one process that are not stored yet."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: OrderedDict[str, _Answer] = OrderedDict()
        self._wanted = asyncio.Event()
        self._closing = asyncio.Event()
        self._outage = Outage(
            "Finished answers cannot be stored; they wait in the journal",
            "Finished answers are stored again",
            first_pause_s=_FIRST_PAUSE_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._waiting

    def add(self, stream_id: str, store: Callable[[], Awaitable[None]]) -> asyncio.Event:
        """Store an answer as soon as the database accepts it; the event is set then."""
        answer = self._waiting.setdefault(stream_id, _Answer(store, asyncio.Event()))
        self._wanted.set()
        return answer.stored

    def drop(self, stream_id: str) -> None:
        """Do not store an answer: it was deleted."""
        if answer := self._waiting.pop(stream_id, None):
            answer.stored.set()

    async def abandon(self, stream_id: str) -> None:
        """Let the stream of an answer expire that can never be stored."""
        await self._journal.stored(stream_id)

    async def write(self) -> None:
        """Store added answers, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while error := await self._store_all():
                pause_s = self._outage.failed(error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSING_PAUSE_S if self._closing.is_set() else pause_s):
                        await (asyncio.Event() if self._closing.is_set() else self._closing).wait()
            self._outage.over()

    def shorten_pauses(self) -> None:
        """Make short pauses from now on: the service is shutting down."""
        self._closing.set()

    async def close(self, deadline: float) -> None:
        """Store what is left, until `deadline` on the loop's clock; log what could not be stored."""
        self.shorten_pauses()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self._waiting:
                    await next(iter(self._waiting.values())).stored.wait()
        if not self._waiting:
            return
        ids = list(self._waiting)
        fate = "They are in the journal for the next process" if self._journal.shared else "They are lost"
        logger.error(
            "%d finished answers could not be stored before the shutdown. %s: %s", len(ids), fate, ids[:_NAMED]
        )

    async def _store_all(self) -> ServiceError | None:
        """Try all answers, but stop after `_TRIES` consecutive failures; return the last error."""
        last, failed = None, 0
        for stream_id, answer in list(self._waiting.items()):
            if self._waiting.get(stream_id) is not answer:
                continue
            try:
                await self._store(stream_id, answer)
            except ServiceError as error:
                last, failed = error, failed + 1
                if stream_id in self._waiting:
                    self._waiting.move_to_end(stream_id)
                if failed == _TRIES:
                    break
            else:
                failed = 0
        return last

    async def _store(self, stream_id: str, answer: _Answer) -> None:
        try:
            await answer.store()
        except ServiceError:
            raise
        except Exception:  # the outermost handler of one answer: it must not delay the others
            logger.exception("A finished answer cannot be stored", extra={"stream_id": stream_id})
        self.drop(stream_id)
        await self._journal.stored(stream_id)
