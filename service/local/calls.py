"""Records the calls that the local Bedrock receives, and lets tests wait for them and hold their answers at gates."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

_MAX_CALLS = 1_000
_MAX_KEYS = 4_096  # scripts that can be in progress


DEFAULT_FAULT_KEY = "/standing"
"""The key of the calls that share the default fault's script."""


class LocalCall:
    """One call. `deltas`: those written to the socket; `client_left`: the client disconnected before the end."""

    def __init__(
        self,
        number: int,
        operation: str,
        model: str,
        *,
        attempt: int,
        key: str,
        fault: str,
        on_change: Callable[[], None],
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
        self._on_change = on_change
        self._permits = 0.0
        self._released = asyncio.Event()

    @property
    def state(self) -> Literal["open", "waiting", "closed"]:
        """The state: `waiting` means at a gate."""
        return "closed" if self.closed.is_set() else "waiting" if self.waiting else "open"

    def release(self, times: float = 1) -> None:
        """Open the next `times` gates, including those that the call has not reached."""
        self._permits += times
        self._released.set()

    async def gate(self) -> None:
        """Wait until the call is released."""
        while self._permits < 1:
            self._released.clear()
            self._set_waiting(waiting=True)
            await self._released.wait()
        self._permits -= 1
        self._set_waiting(waiting=False)

    def record_deltas(self, deltas: int) -> None:
        """Record that the first `deltas` deltas were written to the socket."""
        self.deltas = deltas
        self._on_change()

    def close(self, *, client_left: bool) -> None:
        """Record the end of the call."""
        self.client_left = client_left
        self.closed.set()
        self._on_change()

    def report(self) -> dict[str, Any]:
        """Describe the call in JSON."""
        names = ("number", "operation", "model", "attempt", "key", "fault", "started", "status", "state", "deltas")
        return {name: getattr(self, name) for name in names} | {"client_left": self.client_left}

    def _set_waiting(self, *, waiting: bool) -> None:
        self.waiting = waiting
        self._on_change()


class Calls:
    """The last 1,000 calls of one local Bedrock, and the number of attempts of each fault script."""

    def __init__(self) -> None:
        self._calls: deque[LocalCall] = deque(maxlen=_MAX_CALLS)
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._number = 0
        self.default_fault = ""
        """The fault of every call that has none in its headers."""
        self._waiters: set[asyncio.Event] = set()

    def __iter__(self) -> Iterator[LocalCall]:
        return iter(tuple(self._calls))

    def __getitem__(self, at: int) -> LocalCall:
        return self._calls[at]

    def set_default_fault(self, fault: str) -> None:
        """Set the fault of all calls without one, and restart its script; an empty string removes it."""
        self.default_fault = fault
        self._attempts.pop(DEFAULT_FAULT_KEY, None)

    def open(self, operation: str, model: str, key: str, fault: str = "") -> LocalCall:
        """Record a new call; calls with the same `key` are attempts of one script."""
        attempt = self._attempts.get(key, 0) if key else 0
        if key:
            self._attempts[key] = attempt + 1
            self._attempts.move_to_end(key)
            if len(self._attempts) > _MAX_KEYS:
                self._attempts.popitem(last=False)
        self._number += 1
        call = LocalCall(self._number, operation, model, attempt=attempt, key=key, fault=fault, on_change=self._notify)
        self._calls.append(call)
        self._notify()
        return call

    def find(self, number: int) -> LocalCall | None:
        """Return the call of that number; None if it is unknown or no longer stored."""
        return next((call for call in self._calls if call.number == number), None)

    def release(self, times: float = math.inf) -> None:
        """Release every open call."""
        for call in self._calls:
            if not call.closed.is_set():
                call.release(times)

    def clear(self) -> None:
        """Delete the closed calls and the attempt counts of all scripts."""
        running = [call for call in self._calls if not call.closed.is_set()]
        self._calls.clear()
        self._calls.extend(running)
        self._attempts.clear()

    async def wait_until(self, claim: Callable[["Calls"], bool]) -> None:
        """Wait until the claim is true of the calls."""
        changed = asyncio.Event()
        self._waiters.add(changed)
        try:
            while not claim(self):
                await changed.wait()
                changed.clear()
        finally:
            self._waiters.discard(changed)

    async def wait_for_call(self, number: int = 1) -> LocalCall:
        """Wait for the call of that number, counted from 1 since the start, and return it."""
        await self.wait_until(lambda calls: calls.find(number) is not None)
        call = self.find(number)
        assert call  # noqa: S101 the line above waited for it
        return call

    def _notify(self) -> None:
        for changed in self._waiters:
            changed.set()
