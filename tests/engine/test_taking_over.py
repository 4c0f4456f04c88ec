"""Taking over what a process left that ran many generations: a few streams at a time."""

import asyncio

from service.engine.engine import open_engine
from service.streams.log import StreamLog
from service.streams.memory import MemoryJournal
from service.streams.record import new_stream_id
from tests.failing.test_bugs import Broken
from tests.harness import settings
from tests.waiting import loop_turns, patience


class Asked(MemoryJournal):
    """A journal that has nothing to give, and counts who asks at once."""

    def __init__(self, expected: int) -> None:
        super().__init__(ttl_s=60, memory_bytes=1_000_000)
        self.at_once = self.most = 0
        self._left = expected
        self.all_asked = asyncio.Event()

    async def take_over(self, stream_id: str) -> StreamLog | None:  # noqa: ARG002 - as a journal has it
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await loop_turns(10)  # while all that may ask do
        self.at_once -= 1
        self._left -= 1
        if not self._left:
            self.all_asked.set()
        return None


async def test_many_streams_are_taken_over_a_few_at_a_time_and_none_is_forgotten() -> None:
    async with (
        Asked(expected=100) as journal,
        open_engine(settings(), Broken(), journal, lambda *_: None) as engine,
    ):
        for _ in range(100):
            engine.abandoned(new_stream_id())
        async with patience():
            await journal.all_asked.wait()

    assert 1 < journal.most < 20
