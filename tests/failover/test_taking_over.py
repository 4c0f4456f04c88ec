"""Taking over at the same moment as a reader comes: both have to have the same log."""

import asyncio

from service.streams.journal import Journal
from tests.streams.conftest import pair, server_for_all, shared_url
from tests.streams.samples import DONE, read_all, record, start, text_deltas, text_of
from tests.waiting import loop_turns

__all__ = ["pair", "server_for_all", "shared_url"]


async def test_a_reader_who_comes_while_a_stream_is_taken_over_reads_it_to_its_end(
    pair: tuple[Journal, Journal],
) -> None:
    here, there = pair
    for reader_first in (True, False):
        for turns in range(12):
            log = await here.begin(record())
            here.append(log, [start(log), *text_deltas("one ")], "streaming")
            await here.release(log)
            taking, finding = there.take_over(log.stream_id), there.find(log.stream_id)
            first = asyncio.create_task(finding if reader_first else taking)
            await loop_turns(turns)
            second = await (taking if reader_first else finding)
            found, taken = (await first, second) if reader_first else (second, await first)

            assert found is not None
            assert taken is not None
            there.append(taken, [*text_deltas("two"), DONE], "done")
            assert text_of(await read_all(found)) == "one two", (reader_first, turns)
