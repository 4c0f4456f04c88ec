"""What happens to a generation without readers: `cancel`, `detach` or `drain`."""

import asyncio
from collections.abc import Callable

from service.generation import OnDisconnect
from service.streams.journal import Journal
from service.streams.log import StreamLog

_LOOK_AGAIN_S = 1.0  # for readers in other processes, which send no notification
_LOOKS = 4  # in a grace period, at least
_LOOK_SOON_S = 0.25  # without a grace period


class DisconnectPolicy:
    """Stops a generation without readers: this process's readers notify it, those of others are polled."""

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
        """Note the number of readers in this process."""
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
        """Stop watching."""
        self._log.on_readers = _ignore_readers
        if self._waiting:
            self._waiting.cancel()

    async def _wait(self) -> None:
        """Stop the generation after a grace period without readers in any process."""
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
        """Wait until no other process has readers. False: none had."""
        had = False
        while await self._journal.is_read_elsewhere(self._log):
            had = True
            await asyncio.sleep(self._look_s)
        return had


def _ignore_readers(_: int) -> None:
    """Ignore the number of readers."""
