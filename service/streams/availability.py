"""Whether a durable journal's store is there, and whether its clock can be trusted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.streams.store import Unavailable

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long a call, or an event that is not yet kept, waits for the store.

A Valkey that is restarted answers again within half a second, a busy SQLite within some milliseconds; a reader hardly
minds one second of silence and would take more for a fault.
"""

_PUNCTUAL_S = 0.1  # a timer of a busy loop comes some hundredths late

logger = logging.getLogger(__name__)


class Link:
    """Lost at the first failure of any call; found again by the journal's beat alone, which tries until it is."""

    def __init__(self, name: str, lease_s: float) -> None:
        self.available = False
        self.lost_at = float("-inf")
        self.on_lost: Callable[[], None] = _ignore
        self._name = name
        self._lease_s = lease_s
        self._loop = asyncio.get_running_loop()
        self._quiet_until = float("inf")
        self._found_at = float("-inf")
        self._found = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def quiet(self) -> bool:
        """Whether a lease that seems to have run out may only have had no chance to be renewed."""
        return self._loop.time() < self._quiet_until

    @property
    def patience_s(self) -> float:
        """Seconds for which a loss is still borne in silence."""
        return PATIENCE_S if self.available else max(0.0, self.lost_at + PATIENCE_S - self._loop.time())

    def keep_quiet(self) -> None:
        """Believe in no lease's end for the length of one."""
        self._quiet_until = self._loop.time() + self._lease_s

    def doubt(self, delay_s: float) -> None:
        """Note a delay. A lease is renewed three times in its life: a delay of two of those may have ended some."""
        if delay_s > self._lease_s / 2:
            self.keep_quiet()

    def found(self) -> None:
        """Go on: the store is there."""
        self.keep_quiet()
        self.available = True
        self._found_at = self._loop.time()
        self._lost.clear()
        self._found.set()
        logger.info("The journal is available: %s", self._name)

    def lose(self, error: BaseException, since: float | None = None) -> None:
        """Note that a call failed that began at `since`."""
        if not self.available:
            return
        self.available = False
        self.lost_at = self._loop.time() if since is None else since
        self._found.clear()
        self._lost.set()
        logger.warning("The journal is not available: %s: %s", self._name, str(error) or type(error).__name__)
        self.on_lost()

    async def wait(self) -> None:
        """Wait until the store is there."""
        await self._found.wait()

    async def wait_for_loss(self, timeout_s: float) -> None:
        """Wait until the store is lost, at most `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            pass

    async def call(self, call: Awaitable[T]) -> T:
        """Make a call to the store, within the time it has.

        A slow one may have been slow for everybody, so that others could not renew their leases either.

        Raises:
            Unavailable: it failed, and the store is taken for lost.
        """
        began = self._loop.time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await call
        except Unavailable as error:
            self.lose(error, max(began, self._found_at))
            raise
        except TimeoutError as error:
            self.lose(error, self._loop.time() - self._borne(began))
            raise Unavailable("There was no answer in time.") from error
        finally:
            self.doubt(self._loop.time() - began)

    def _borne(self, began: float) -> float:
        """Tell how much of the patience a call without an answer has used up.

        Not all of it: perhaps it was this process that stood still, and the store answers the next call at once. Then
        it says whose the streams are by now. None of it where the time for the answer ran out late: we did stand still.
        """
        late = self._loop.time() - began - PATIENCE_S
        return PATIENCE_S / 2 if late < _PUNCTUAL_S else 0.0


def _ignore() -> None:
    """Nobody minds."""
