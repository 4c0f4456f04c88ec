"""Waiting for events in tests: one poll helper, and one bound that a busy machine does not reach."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 45.0  # for an event that is certain to happen: it bounds a hang and measures nothing


def patience() -> asyncio.Timeout:
    """Bound a block that waits for events."""
    return asyncio.timeout(PATIENCE_S)


async def eventually(condition: Callable[[], Any | Awaitable[Any]], *, every_s: float = 0.005) -> Any:
    """Wait until a condition holds and return its value. The condition may be a coroutine function."""
    async with patience():
        while True:
            value = condition()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(every_s)


def eventually_blocking(condition: Callable[[], Any], *, every_s: float = 0.005) -> Any:
    """Do what `eventually` does, where no event loop runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(every_s)
    return value


async def loop_turns(number: int) -> None:
    """Let the event loop run its ready callbacks a number of times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def let_pass(seconds: float) -> None:
    """Let real time pass where a store or another process measures it and no event tells of it."""
    await asyncio.sleep(seconds)
