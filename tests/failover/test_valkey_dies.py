"""A Valkey that is killed and started again and again under running streams."""

import asyncio
import random
import secrets
from collections.abc import Iterator

import pytest

from tests.failover.conftest import Pair, pair_on
from tests.failover.processes import Bedrock
from tests.failover.reader import Reader, Refused, question
from tests.streams.servers import Server
from tests.waiting import eventually

STREAMS = 8  # at once


@pytest.fixture
def couple(bedrock: Bedrock, valkey: Server) -> Iterator[Pair]:
    """Two replicas of the test's own."""
    with pair_on(bedrock, valkey.url) as pair:
        yield pair


async def test_five_restarts_of_valkey_cost_nothing_that_was_shown(couple: Pair, valkey: Server) -> None:
    await restart(couple, valkey, 5, seed=secrets.randbits(32))


@pytest.mark.soak
@pytest.mark.timeout(800)
async def test_a_hundred_restarts_of_valkey_cost_nothing_that_was_shown(couple: Pair, valkey: Server) -> None:
    await restart(couple, valkey, 100, seed=secrets.randbits(32))


async def restart(pair: Pair, server: Server, times: int, seed: int) -> None:
    """Kill the server as a stream comes to some event, and start it with what is on its disk."""
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance = random.Random(seed)  # noqa: S311 - a test's
    whole = Reader(pair.here, body=question())
    await whole.run()
    for _ in range(times):
        readers = [Reader(pair.replicas[n % 2], body=question()) for n in range(STREAMS)]
        followers = [Reader(pair.replicas[n % 2]) for n in range(1, STREAMS + 1)]
        async with asyncio.TaskGroup() as tasks:
            for reader, follower in zip(readers, followers, strict=True):
                tasks.create_task(reader.run())
                tasks.create_task(follow(follower, reader))
            await readers[0].has(chance.randrange(2, 30))
            server.kill()
            await asyncio.to_thread(server.start)
        for reader, follower in zip(readers, followers, strict=True):
            check(reader, follower, whole)
        await eventually(lambda: are_ready(pair))


async def follow(follower: Reader, reader: Reader) -> None:
    """Read another's stream at the other replica; where that replica has lost it, it says so."""
    await reader.has(1)
    follower.stream_id = reader.stream_id
    try:
        await follower.run()
    except Refused as refused:
        if refused.code != "gone":
            raise


def check(reader: Reader, follower: Reader, whole: Reader) -> None:
    """The reader has the whole text; who follows elsewhere has it too, unless all were told that it is not kept."""
    assert reader.text == whole.text, reader.end
    if "not_resumable" not in reader.states():
        assert follower.events == reader.events
        return
    shared = follower.events[:-1] if follower.end and "error" in follower.end else follower.events
    assert reader.events[: len(shared)] == shared


async def are_ready(pair: Pair) -> bool:
    return all([(await replica.readiness())["http"] == 200 for replica in pair.replicas])
