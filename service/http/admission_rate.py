"""Who begins when: a few requests in each turn of the loop, so that those that have begun come through first.

A thousand that come at once would all be half begun at the same time, with the frames of the framework and the SDK
around each: 9 KB more for each stream that they become (2026-11-24). Whoever waits for Bedrock is in nobody's way.
"""

import asyncio
from collections import deque

AT_ONCE = 64  # in one turn of the loop: some hundredths of a second


class AdmissionRate:
    """Lets a few in with each turn of the loop, in the order in which they came."""

    def __init__(self) -> None:
        self._left = AT_ONCE
        self._turning = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for one's turn, which has come already unless many come at once."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn)
        if self._left:
            self._left -= 1
            return
        waiting = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _turn(self) -> None:
        self._left = AT_ONCE
        while self._waiting and self._left:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else its client has left
                waiting.set_result(None)
                self._left -= 1
        self._turning = self._left < AT_ONCE
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
