"""Finds finished answers that other processes have left in the journal, and stores them."""

import asyncio
from collections.abc import Awaitable, Callable

from service.conversations.factory import Conversations
from service.conversations.faults import Outage
from service.deltas import Done, Failed
from service.encryption import Changed, Unopened
from service.errors import ServiceError
from service.streams.journal import Journal
from service.streams.log import StreamLog

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between two sweeps while the database is unavailable


class Leftovers:
    """The sweep of one process. `store` stores a response, `expire` deletes expired ones."""

    def __init__(
        self,
        conversations: Conversations,
        store: Callable[[StreamLog, Done | Failed], None],
        expire: Callable[[], Awaitable[None]],
        journal: Journal,
    ) -> None:
        self._conversations = conversations
        self._store = store
        self._expire = expire
        self._journal = journal
        self._unreadable: set[str] = set()
        self._outage = Outage(
            "Finished answers of other processes cannot be stored; they wait in the journal",
            "Finished answers of other processes are stored again",
            first_pause_s=_FIRST_PAUSE_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )

    async def sweep(self, period_s: float) -> None:
        """Store what other processes have left in the journal, and delete expired responses, for ever.

        A stream that two sweeps find has been left: its own process would have stored it by then.
        """
        seen: frozenset[str] = frozenset()
        pause_s = period_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = period_s
            try:
                now = frozenset(await self._journal.unstored())
                for stream_id in now & seen:
                    await self._adopt(stream_id)
                seen = now
                await self._expire()
                self._outage.over()
            except ServiceError as error:
                pause_s = max(period_s, self._outage.failed(error))

    async def _adopt(self, stream_id: str) -> None:
        """Store an answer that another process has left, unless there is no memory for it."""
        if stream_id in self._conversations.unstored or stream_id in self._unreadable:
            return
        try:
            log = await self._journal.find(stream_id)
        except Changed:
            log = None
        except Unopened:  # another process may have the encryption key
            self._unreadable.add(stream_id)
            return
        except ServiceError:  # there is no memory for it, or the journal is unavailable
            return
        if log is None:
            await self._journal.stored(stream_id)  # it has expired, or is damaged and named in the log
        elif log.end and await self._journal.retain(log):
            if log.record.dialect == "responses":
                self._store(log, log.end)
            else:
                await self._conversations.adopt(log)
