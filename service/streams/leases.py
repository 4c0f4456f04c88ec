"""A durable journal's pulse: leases, the sweep for streams that nobody produces, and the way back after a failure."""

import asyncio
import time
from collections.abc import Callable, Sequence

from service.settings import SettingsError
from service.streams.availability import Link
from service.streams.log import StreamLog
from service.streams.outbox import Outbox
from service.streams.remote import Mirrors
from service.streams.store import JournalStore, Lease, Outcome, StoredState, Unavailable

LONGEST_S = 1.0  # between two beats: a cancel that got lost on its way is seen by the next
RETRY_S = 0.1  # between two tries to find the store again


class Beat:
    """Renews every lease of the process in one call, at least three times in the life of one."""

    def __init__(
        self,
        store: JournalStore,
        link: Link,
        outbox: Outbox,
        mirrors: Mirrors,
        *,
        lease_s: float,
        on_cancel: Callable[[str], None],
        on_abandoned: Callable[[str], None],
        on_replaced: Callable[[StreamLog], None],
    ) -> None:
        self._store = store
        self._link = link
        self._outbox = outbox
        self._mirrors = mirrors
        self._period_s = min(lease_s / 3, LONGEST_S)
        self._on_cancel = on_cancel
        self._on_abandoned = on_abandoned
        self._on_replaced = on_replaced
        self._loop = asyncio.get_running_loop()
        self._due = self._now()

    async def beat(self) -> None:
        """Beat once, and wait for the next time; or try to find the store again."""
        if not self._link.available:
            if not await self.recover():
                await asyncio.sleep(RETRY_S)
            return
        self._mind_the_clock()
        try:
            await self._renew()
            await self._purge()
            await self._mirrors.refresh()
            await self._sweep()
        except Unavailable:
            return
        self._due = tuple(now + self._period_s for now in self._now())
        await self._link.wait_for_loss(self._period_s)

    async def recover(self) -> bool:
        """Try to find the store. What went on without it is taken out of it first, so that nobody goes on with it."""
        try:
            await self._link.call(self._store.open())
            await self._renew()
            await self._purge()
        except (Unavailable, SettingsError):
            return False
        self._link.found()
        self._due = self._now()
        return True

    def _now(self) -> tuple[float, ...]:
        return self._loop.time(), time.time()

    def _mind_the_clock(self) -> None:
        """Where this beat comes late the whole machine may have stood still, and nobody could renew a lease."""
        self._link.doubt(max(now - due for now, due in zip(self._now(), self._due, strict=True)))

    async def _renew(self) -> None:
        leases = self._outbox.leases()
        self._note(leases, await self._link.call(self._store.renew(leases)))

    def _note(self, leases: Sequence[Lease], outcomes: Sequence[Outcome]) -> None:
        for lease, outcome in zip(leases, outcomes, strict=True):
            produced = self._outbox.produced.get(lease.stream_id)
            if produced is None or produced.log.epoch != lease.epoch:
                continue
            match outcome:
                case Outcome.CANCELLED:
                    self._on_cancel(lease.stream_id)
                case Outcome.REPLACED:
                    self._outbox.let_go(produced.log)
                    self._on_replaced(produced.log)
                case Outcome.GONE:
                    self._outbox.give_up(produced)
                case Outcome.KEPT:
                    pass

    async def _purge(self) -> None:
        """Take out of the store what went on without it."""
        doubtful = self._outbox.doubtful
        for stream_id, doubt in list(doubtful.items()):
            await self._link.call(self._store.purge(stream_id, doubt.epoch))
            if doubt.purges > 1:
                doubtful[stream_id] = doubt._replace(purges=doubt.purges - 1)
            else:
                del doubtful[stream_id]

    async def _sweep(self) -> None:
        for stream_id, standing in await self._link.call(self._store.sweep()):
            ours = stream_id in self._outbox.produced
            if not ours and (standing is StoredState.RELEASED or not self._link.quiet):
                self._on_abandoned(stream_id)
