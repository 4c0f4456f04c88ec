"""Replicas that are told to stop (docs/resuming.md, "When a process is replaced")."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.failover.processes import Bedrock, Replica, http, started
from tests.failover.proxy import proxy
from tests.failover.reader import Reader, question
from tests.streams.servers import Server
from tests.waiting import eventually

DRAIN_S = 1.0
LEASE_S = 600.0
HELD = {"X-Artesian-Fault": "gate@5"}  # the first call for an answer stands still, a second one does not


@contextmanager
def replicas(bedrock: Bedrock, journal_url: str, count: int = 2, **settings: object) -> Iterator[list[Replica]]:
    """Run replicas whose lease outlasts a test: what continues was handed over and not found dead."""
    with ExitStack() as stack:
        given = {"lease": LEASE_S, "drain_timeout": DRAIN_S, "resume_grace": 10} | settings
        running = [Replica(bedrock, journal_url, **given) for _ in range(count)]
        stack.enter_context(started(*running))
        yield running


async def ready(*running: Replica) -> None:
    await asyncio.gather(*(replica.ready() for replica in running))


async def test_a_process_in_memory_finishes_what_it_can_and_ends_the_rest_as_draining(bedrock: Bedrock) -> None:
    with replicas(bedrock, "memory://", 1) as (replica,):
        await ready(replica)
        lucky, late = (Reader(replica, body=question(), headers=HELD) for _ in range(2))
        async with lucky.connected() as first, late.connected() as second, http(replica.url) as service:
            await lucky.take(first, until=6)
            await late.take(second, until=6)

            replica.signal(signal.SIGTERM)
            await eventually(lambda: _drains(replica))
            refused = await service.post("/api/generate/stream", json=question())
            newcomer = asyncio.create_task(Reader(replica, stream_id=lucky.stream_id).run())
            (call,) = await bedrock.calls(lucky.stream_id)
            await bedrock.release(call)

            await lucky.take(first)
            await late.take(second)
        await replica.ended()

    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert int(refused.headers["retry-after"]) > 0
    assert lucky.end
    assert lucky.end["stop_reason"] == "end_turn"
    assert await newcomer == lucky.end
    assert late.end
    assert (late.end["code"], late.end["status"], late.end["partial"]) == ("draining", 503, True)


async def _drains(replica: Replica) -> bool:
    said = await replica.readiness()
    return bool(said["draining"]) and said["http"] == 503


async def test_another_replica_goes_on_at_once_with_what_a_drain_left_over(bedrock: Bedrock, journal_url: str) -> None:
    with replicas(bedrock, journal_url) as (here, there):
        await ready(here, there)
        whole = Reader(there, body=question())
        await whole.run()
        reader = Reader(here, body=question(), headers=HELD)
        async with reader.connected() as chunks:
            await reader.take(chunks, until=6)
            elsewhere = asyncio.create_task((watching := Reader(there, stream_id=reader.stream_id)).run())
            await watching.has(6)

            here.signal(signal.SIGTERM)
            await reader.take(chunks)  # to a clean end: a cut would raise
        assert reader.reconnects == 1
        assert not reader.end
        reader.to = there
        await reader.run()
        await elsewhere
        await here.ended()

    assert reader.text == whole.text
    assert reader.states() == ["continued"]
    assert watching.events == reader.events
    assert watching.connections == 1


async def test_a_reader_of_another_replicas_stream_is_sent_on_by_one_that_goes(
    bedrock: Bedrock, valkey: Server
) -> None:
    with replicas(bedrock, valkey.url) as (here, there):
        await ready(here, there)
        reader = Reader(here, body=question(), headers=HELD)
        async with reader.connected() as chunks:
            await reader.take(chunks, until=6)
            following = Reader(there, stream_id=reader.stream_id)
            async with following.connected() as others:
                await following.take(others, until=6)

                there.signal(signal.SIGTERM)
                await following.take(others)
            await there.ended()
            (call,) = await bedrock.calls(reader.stream_id)
            await bedrock.release(call)
            following.to = here
            await asyncio.gather(reader.take(chunks), following.run())

    assert following.reconnects == 1
    assert following.events == reader.events
    assert reader.states() == []


async def test_workers_drain_together_and_their_bedrock_outlives_them(tmp_path: Path) -> None:
    with ExitStack() as stack:
        replica = Replica(None, f"sqlite:///{tmp_path}/streams.db", workers=2, backend="local", drain_timeout=20)
        stack.enter_context(started(replica))
        await ready(replica)
        readers = [Reader(replica, body=question(), headers={"X-Artesian-Fault": "rate=40"}) for _ in range(4)]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.run())
            for reader in readers:
                await reader.has(3)
            replica.signal(signal.SIGTERM)
        status = await replica.ended()
        told = replica.said.split("Ctrl-C stops it.")[1]

    for reader in readers:
        assert reader.end
        assert reader.end["stop_reason"] == "end_turn"
        assert reader.connections == 1
    assert status == 0
    lines = [json.loads(line) for line in told.splitlines() if line]  # workers log as they were told to
    assert "Draining" in " ".join(line["event"] for line in lines)


async def test_a_rolling_restart_under_fifty_readers_loses_and_repeats_nothing(
    bedrock: Bedrock, valkey: Server
) -> None:
    await roll(bedrock, valkey.url, readers=50, turns=1)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_ten_rolling_restarts_lose_and_repeat_nothing(bedrock: Bedrock, journal_url: str) -> None:
    await roll(bedrock, journal_url, readers=50, turns=10)


async def roll(bedrock: Bedrock, journal_url: str, *, readers: int, turns: int) -> None:
    """Replace two replicas one after the other, while people read and ask."""
    with replicas(bedrock, journal_url) as running, ExitStack() as stack:
        await ready(*running)
        whole = Reader(running[0], body=question())
        await whole.run()
        async with proxy(*(replica.port for replica in running)) as way:
            crowd = [Person(way.url) for _ in range(readers)]
            async with asyncio.TaskGroup() as tasks:
                for person in crowd:
                    tasks.create_task(person.live())
                for turn in range(2 * turns):
                    at = turn % 2
                    await asyncio.gather(*(person.reads() for person in crowd))
                    running[at].signal(signal.SIGTERM)
                    await running[at].ended()
                    running[at] = Replica(bedrock, journal_url, lease=LEASE_S, drain_timeout=DRAIN_S, resume_grace=10)
                    stack.enter_context(started(running[at]))
                    await running[at].ready()
                    way.ports[at] = running[at].port
                for person in crowd:
                    person.content = True
    read = [reader for person in crowd for reader in person.read]
    assert sum("continued" in reader.states() for reader in read) > 0
    assert sum(reader.reconnects for reader in read) >= readers
    for reader in read:
        assert reader.end
        assert reader.text == whole.text, reader.end


class Person:
    """Asks, reads the answer, and asks again."""

    def __init__(self, url: str) -> None:
        self.read: list[Reader] = []
        self.content = False
        self._url = url

    async def live(self) -> None:
        """Go on until told that it is enough."""
        while not self.content:
            self.read.append(Reader(self._url, body=question(), headers={"X-Artesian-Fault": "rate=12*"}))
            await self.read[-1].run()

    async def reads(self) -> None:
        """Wait until an answer has begun and goes on."""
        await eventually(self._is_in_the_middle)

    async def _is_in_the_middle(self) -> bool:
        return bool(self.read) and len(self.read[-1].events) > 2 and not self.read[-1].end
