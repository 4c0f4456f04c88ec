"""Readers that do not keep up, and logs that do not fit into the memory (docs/resuming.md, "A slow reader")."""

import asyncio
import resource
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.failover.processes import Bedrock, Replica, http, started
from tests.failover.reader import Reader, question
from tests.native.talker import talking
from tests.waiting import eventually

WORD = " " * 4000 + "x"  # two tokens, since white space counts as one
WORDS = 3000  # 12 MB: kernels take some of it before anybody feels that a reader does not read
STREAM_BYTES = len(WORD) * WORDS
SEND_TIMEOUT_S = 0.5


@pytest.fixture
async def flood() -> AsyncIterator[Bedrock]:
    """A local Bedrock that says a lot, as fast as it can."""
    async with talking([WORD] * WORDS) as url:
        bedrock = Bedrock(rate=0, local_text_url=url)
        with started(bedrock):
            await bedrock.ready()
            yield bedrock


async def test_a_reader_that_stops_reading_is_let_go_and_can_come_back_while_others_do_not_feel_it(
    flood: Bedrock,
) -> None:
    replica = Replica(flood, "memory://", send_timeout=SEND_TIMEOUT_S)
    with started(replica):
        await replica.ready()
        quick = Reader(replica, body=question(max_tokens=60_000))
        slow = Reader(replica)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(quick.run())
            await quick.has(1)
            slow.stream_id = quick.stream_id
            async with slow.connected() as chunks:
                await slow.take(chunks, until=1)
                await reading
                await eventually(partial(is_let_go, replica, slow))
                with pytest.raises(httpx.TransportError):
                    await slow.take(chunks)
        caught_up = len(slow.events)
        await slow.run()
        said = replica.said

    assert quick.text == WORD * WORDS
    assert 0 < caught_up < len(quick.events)
    assert slow.connections == 2
    assert slow.events == quick.events
    assert "Traceback" not in said


async def test_a_stream_that_makes_room_for_others_ends_with_gone_for_who_still_reads_it_and_without_a_gap(
    flood: Bedrock,
) -> None:
    replica = Replica(flood, "memory://", stream_memory=STREAM_BYTES * 3 // 2)
    with started(replica):
        await replica.ready()
        slow = Reader(replica, body=question(max_tokens=60_000))
        async with slow.connected() as chunks:
            await slow.take(chunks, until=1)
            await eventually(partial(is_done, replica, slow.stream_id))
            resident = [resident_bytes(replica)]
            for _ in range(4):
                other = Reader(replica, body=question(max_tokens=60_000))
                await other.run()
                resident.append(resident_bytes(replica))
            await slow.take(chunks)

        async with http(replica.url) as service:
            assert (await service.get(f"/api/streams/{slow.stream_id}")).status_code == 410
            assert (await service.get(f"/api/streams/{other.stream_id}?after={len(other.events)}")).status_code == 204

    assert slow.end
    assert (slow.end["code"], slow.end["status"], slow.end["partial"]) == ("gone", 410, True)
    assert slow.text == (WORD * WORDS)[: len(slow.text)]
    assert len(slow.events) < len(other.events)
    assert max(resident) - resident[0] < STREAM_BYTES


async def test_a_stream_that_makes_room_but_is_kept_in_a_journal_is_read_on_from_there(
    flood: Bedrock, tmp_path: Path
) -> None:
    replica = Replica(flood, f"sqlite:///{tmp_path}/streams.db", stream_memory=STREAM_BYTES * 3 // 2)
    with started(replica):
        await replica.ready()
        slow = Reader(replica, body=question(max_tokens=60_000))
        async with slow.connected() as chunks:
            await slow.take(chunks, until=1)
            await eventually(partial(is_done, replica, slow.stream_id))
            other = Reader(replica, body=question(max_tokens=60_000))
            await other.run()
            await slow.take(chunks)
        caught_up = len(slow.events)
        await slow.run()

    assert slow.reconnects == 1
    assert caught_up < len(slow.events)
    assert slow.text == WORD * WORDS


async def is_done(replica: Replica, stream_id: str) -> bool:
    return bool((await replica.state(stream_id))["state"] == "done")


def resident_bytes(replica: Replica) -> int:
    """How much memory a replica takes."""
    return int(Path(f"/proc/{replica.pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def is_let_go(replica: Replica, reader: Reader) -> bool:
    return reader.response is not None and not replica.holds(reader.response)
