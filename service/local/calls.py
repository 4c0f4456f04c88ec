"""What the local Bedrock is being asked, for tests: every call as it runs, and gates that hold its answer."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

_KEPT = 1_000  # calls
_KEYS = 4_096  # scripts that may be under way


STANDING = "/standing"
"""The key of the calls that share the standing fault's script."""


class LocalCall:
    """One call. `deltas` counts what has been handed to the socket; `client_left` whether the other side hung up."""

    def __init__(
        self, number: int, operation: str, model: str, *, attempt: int, key: str, fault: str, told: Callable[[], None]
    ) -> None:
        self.number = number
        self.operation = operation
        self.model = model
        self.attempt = attempt
        self.key = key
        self.fault = fault
        self.started = time.time()
        self.status: int | None = None
        self.deltas = 0
        self.waiting = False
        self.client_left = False
        self.closed = asyncio.Event()
        self._told = told
        self._permits = 0.0
        self._released = asyncio.Event()

    @property
    def state(self) -> Literal["open", "waiting", "closed"]:
        """Where it stands."""
        return "closed" if self.closed.is_set() else "waiting" if self.waiting else "open"

    def release(self, times: float = 1) -> None:
        """Open the next `times` gates, those it has not come to yet included."""
        self._permits += times
        self._released.set()

    async def gate(self) -> None:
        """Wait to be released."""
        while self._permits < 1:
            self._released.clear()
            self._now(waiting=True)
            await self._released.wait()
        self._permits -= 1
        self._now(waiting=False)

    def sent(self, deltas: int) -> None:
        """Note that the first `deltas` deltas are on their way."""
        self.deltas = deltas
        self._told()

    def close(self, *, client_left: bool) -> None:
        """Note the end."""
        self.client_left = client_left
        self.closed.set()
        self._told()

    def report(self) -> dict[str, Any]:
        """Describe it in JSON."""
        names = ("number", "operation", "model", "attempt", "key", "fault", "started", "status", "state", "deltas")
        return {name: getattr(self, name) for name in names} | {"client_left": self.client_left}

    def _now(self, *, waiting: bool) -> None:
        self.waiting = waiting
        self._told()


class Calls:
    """The calls of one local Bedrock, the last thousand of them; and how often each script was asked."""

    def __init__(self) -> None:
        self._calls: deque[LocalCall] = deque(maxlen=_KEPT)
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._number = 0
        self.standing = ""
        """The fault of every call that orders none of its own."""
        self._waiting: set[asyncio.Event] = set()

    def __iter__(self) -> Iterator[LocalCall]:
        return iter(tuple(self._calls))

    def __getitem__(self, at: int) -> LocalCall:
        return self._calls[at]

    def stand(self, fault: str) -> None:
        """Let a fault stand for all calls without one, from its script's begin; empty: no longer."""
        self.standing = fault
        self._attempts.pop(STANDING, None)

    def open(self, operation: str, model: str, key: str, fault: str = "") -> LocalCall:
        """Begin a call; `key` joins it to the earlier attempts of the same thing."""
        attempt = self._attempts.get(key, 0) if key else 0
        if key:
            self._attempts[key] = attempt + 1
            self._attempts.move_to_end(key)
            if len(self._attempts) > _KEYS:
                self._attempts.popitem(last=False)
        self._number += 1
        call = LocalCall(self._number, operation, model, attempt=attempt, key=key, fault=fault, told=self._tell)
        self._calls.append(call)
        self._tell()
        return call

    def find(self, number: int) -> LocalCall | None:
        """Return the call of that number, while it is kept."""
        return next((call for call in self._calls if call.number == number), None)

    def release(self, times: float = math.inf) -> None:
        """Release every open call."""
        for call in self._calls:
            if not call.closed.is_set():
                call.release(times)

    def clear(self) -> None:
        """Forget the calls that are over, and what the scripts have counted."""
        kept = [call for call in self._calls if not call.closed.is_set()]
        self._calls.clear()
        self._calls.extend(kept)
        self._attempts.clear()

    async def until(self, claim: Callable[["Calls"], bool]) -> None:
        """Wait until the claim is true of the calls."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            while not claim(self):
                await changed.wait()
                changed.clear()
        finally:
            self._waiting.discard(changed)

    async def opened(self, count: int = 1) -> LocalCall:
        """Wait for the call of that number, counted from 1 since the start, and return it."""
        await self.until(lambda calls: calls.find(count) is not None)
        call = self.find(count)
        assert call  # noqa: S101 the line above waited for it
        return call

    def _tell(self) -> None:
        for changed in self._waiting:
            changed.set()
