"""Renews leases, finds abandoned streams and reconnects to the store."""

import asyncio
import time
from collections.abc import Callable, Sequence

from service.settings import SettingsError
from service.streams.availability import Availability
from service.streams.log import StreamLog
from service.streams.outbox import Outbox
from service.streams.remote import RemoteStreams
from service.streams.store import JournalStore, Lease, Outcome, StoredState, Unavailable

LONGEST_S = 1.0  # between two renewals, which also deliver a cancellation whose notification was lost
RETRY_S = 0.1  # between two attempts to reconnect to the store


class LeaseRenewal:
    """Renews all leases of the process in one call, at least three times in the length of a lease."""

    def __init__(
        self,
        store: JournalStore,
        availability: Availability,
        outbox: Outbox,
        remote: RemoteStreams,
        *,
        lease_s: float,
        on_cancel: Callable[[str], None],
        on_abandoned: Callable[[str], None],
        on_replaced: Callable[[StreamLog], None],
    ) -> None:
        self._store = store
        self._availability = availability
        self._outbox = outbox
        self._remote = remote
        self._period_s = min(lease_s / 3, LONGEST_S)
        self._on_cancel = on_cancel
        self._on_abandoned = on_abandoned
        self._on_replaced = on_replaced
        self._loop = asyncio.get_running_loop()
        self._due = self._now()

    async def renew(self) -> None:
        """Renew once and wait for the next time; or try to reconnect to the store."""
        if not self._availability.available:
            if not await self.recover():
                await asyncio.sleep(RETRY_S)
            return
        # If this is late, the whole machine may have been suspended, and no process has renewed its leases.
        self._availability.note_delay(max(now - due for now, due in zip(self._now(), self._due, strict=True)))
        try:
            await self._renew_leases()
            await self._purge()
            await self._remote.refresh()
            for stream_id, state in await self._availability.call(self._store.sweep()):
                ours = stream_id in self._outbox.produced
                if not ours and (state is StoredState.RELEASED or not self._availability.expiry_suspended):
                    self._on_abandoned(stream_id)
        except Unavailable:
            return
        self._due = tuple(now + self._period_s for now in self._now())
        await self._availability.wait_for_loss(self._period_s)

    async def recover(self) -> bool:
        """Reconnect to the store; False: it is unavailable. First purge the streams that continued without it."""
        try:
            await self._availability.call(self._store.open())
            await self._renew_leases()
            await self._purge()
        except (Unavailable, SettingsError):
            return False
        self._availability.mark_available()
        self._due = self._now()
        return True

    def _now(self) -> tuple[float, ...]:
        return self._loop.time(), time.time()

    async def _renew_leases(self) -> None:
        leases = self._outbox.leases()
        self._apply(leases, await self._availability.call(self._store.renew(leases)))

    def _apply(self, leases: Sequence[Lease], outcomes: Sequence[Outcome]) -> None:
        for lease, outcome in zip(leases, outcomes, strict=True):
            produced = self._outbox.produced.get(lease.stream_id)
            if produced is None or produced.log.epoch != lease.epoch:
                continue
            match outcome:
                case Outcome.CANCELLED:
                    self._on_cancel(lease.stream_id)
                case Outcome.REPLACED:
                    self._outbox.discard(produced.log)
                    self._on_replaced(produced.log)
                case Outcome.GONE:
                    self._outbox.continue_unstored(produced)
                case Outcome.KEPT:
                    pass

    async def _purge(self) -> None:
        """Delete the streams from the store that continued without it."""
        unknown = self._outbox.unknown
        for stream_id, state in list(unknown.items()):
            await self._availability.call(self._store.purge(stream_id, state.epoch))
            if state.purges > 1:
                unknown[stream_id] = state._replace(purges=state.purges - 1)
            else:
                del unknown[stream_id]
