"""What becomes of a generation that nobody reads: `cancel`, `detach` or `drain`."""

import asyncio
from collections.abc import Callable

from service.generation import OnDisconnect
from service.streams.journal import Journal
from service.streams.log import StreamLog

_LOOK_AGAIN_S = 1.0  # for readers in other processes, whose going is not told


class Attendance:
    """Minds one generation's readers: those of this process tell, those of others are asked for."""

    def __init__(
        self,
        log: StreamLog,
        journal: Journal,
        tasks: asyncio.TaskGroup,
        *,
        policy: OnDisconnect,
        grace_s: float,
        leave: Callable[[], None],
    ) -> None:
        self._log = log
        self._journal = journal
        self._tasks = tasks
        self._policy = policy
        self._grace_s = grace_s if policy == "detach" else 0.0
        self._leave = leave
        self._waiting: asyncio.Task[None] | None = None
        log.on_readers = self.note

    def note(self, readers: int) -> None:
        """Take note of how many readers this process has."""
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None
        if readers or self._policy == "drain" or self._log.end:
            return
        if self._grace_s == 0 and not self._journal.shared:
            self._leave()
        else:
            self._waiting = self._tasks.create_task(self._wait())

    def close(self) -> None:
        """Mind no longer."""
        self._log.on_readers = _nobody_minds
        if self._waiting:
            self._waiting.cancel()

    async def _wait(self) -> None:
        await asyncio.sleep(self._grace_s)
        while self._journal.shared and await self._journal.is_read_elsewhere(self._log):  # noqa: ASYNC110 - none to wait for
            await asyncio.sleep(max(self._grace_s, _LOOK_AGAIN_S))
        self._waiting = None
        self._leave()


def _nobody_minds(_: int) -> None:
    """Mind nothing."""
