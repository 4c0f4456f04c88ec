"""What becomes of a generation that nobody reads: `cancel`, `detach` or `drain`."""

import asyncio
from collections.abc import Callable

from service.generation import OnDisconnect
from service.streams.journal import Journal
from service.streams.log import StreamLog

_LOOK_AGAIN_S = 1.0  # for readers in other processes, whose coming and going is not told
_LOOKS = 4  # in a grace, at least
_LOOK_SOON_S = 0.25  # where the last of them to leave ends the generation at once


class DisconnectPolicy:
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
        detached: Callable[[], None],
    ) -> None:
        self._log = log
        self._journal = journal
        self._tasks = tasks
        self._policy = policy
        self._grace_s = grace_s if policy == "detach" else 0.0
        self._look_s = min(_LOOK_AGAIN_S, self._grace_s / _LOOKS) or _LOOK_SOON_S
        self._leave = leave
        self._detached = detached
        self._waiting: asyncio.Task[None] | None = None
        log.on_readers = self.note

    def note(self, readers: int) -> None:
        """Take note of how many readers this process has."""
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None
        if readers or self._log.end:
            return
        self._detached()
        if self._policy == "drain":
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
        """Leave once nobody anywhere has read it for the whole of the grace."""
        clock = asyncio.get_running_loop().time
        alone_since, pause_s = clock(), self._grace_s
        while True:
            await asyncio.sleep(min(pause_s, self._look_s) if self._journal.shared else pause_s)
            if self._journal.shared and await self._others_leave():
                alone_since = clock()
            if (pause_s := alone_since + self._grace_s - clock()) <= 0:
                break
        self._waiting = None
        self._leave()

    async def _others_leave(self) -> bool:
        """Wait until no other process has readers of it. False: none had."""
        had = False
        while await self._journal.is_read_elsewhere(self._log):
            had = True
            await asyncio.sleep(self._look_s)
        return had


def _nobody_minds(_: int) -> None:
    """Mind nothing."""
