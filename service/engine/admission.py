"""Places for generations: how many run at once in this process, and who waits for a place."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.errors import ServiceError


class Places:
    """A bounded number of places and a bounded queue before them, first come, first served."""

    def __init__(self, places: int, queue: int, timeout_s: float) -> None:
        self._free = places
        self._queue = queue
        self._timeout_s = timeout_s
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def check(self) -> None:
        """Refuse at once what could not even wait.

        Raises:
            ServiceError: `overloaded`, the queue is full.
        """
        if self._free <= 0 and len(self._waiting) >= self._queue:
            raise ServiceError("overloaded", "The service is full, and so is its queue.", retry_after=1)

    @asynccontextmanager
    async def place(self, on_queued: Callable[[int], None], *, admitted: bool = False) -> AsyncIterator[None]:
        """Hold a place while the block lasts, waiting for one in turn. `on_queued` is told the place in the queue.

        `admitted`: another process had a place for it and died, so there is one beyond the bound.

        Raises:
            ServiceError: `overloaded`, the queue is full or the wait took too long.
        """
        if admitted or self._free > 0:
            self._free -= 1
        else:
            self.check()
            on_queued(len(self._waiting) + 1)
            await self._turn()
        try:
            yield
        finally:
            self._give_back()

    async def _turn(self) -> None:
        """Wait until somebody hands over a place."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the place came in the moment of leaving
            else:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise ServiceError("overloaded", "The wait for a place took too long.", retry_after=1) from None
            raise

    def _give_back(self) -> None:
        while self._waiting and self._free >= 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
