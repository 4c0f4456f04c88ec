"""Workers that are killed in the middle of answers (docs/resuming.md, "When a process dies")."""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.failover.processes import Bedrock, Replica, started
from tests.failover.proxy import proxy
from tests.failover.reader import Reader, question
from tests.harness import CLAUDE

CANNOT_GO_ON = "us.anthropic.claude-opus-4-6-v1"
MODELS = (CLAUDE, CLAUDE, CLAUDE, CLAUDE, CANNOT_GO_ON, CANNOT_GO_ON)  # of the streams that run at once


@pytest.fixture
def workers(bedrock: Bedrock, journal_url: str) -> Iterator[Replica]:
    """Three workers on one socket: `WORKERS=3`."""
    replica = Replica(bedrock, journal_url, workers=3)
    with started(replica):
        yield replica


@pytest.mark.timeout(150)
async def test_two_killed_workers_of_three_lose_and_repeat_nothing(workers: Replica) -> None:
    await kill_workers(workers, 2, seed=secrets.randbits(32))


async def test_eight_killed_replicas_lose_and_repeat_nothing(bedrock: Bedrock, journal_url: str) -> None:
    await kill_replicas(bedrock, journal_url, 8, seed=secrets.randbits(32))


@pytest.mark.soak
@pytest.mark.timeout(800)
async def test_fifty_killed_workers_lose_and_repeat_nothing(workers: Replica) -> None:
    await kill_workers(workers, 50, seed=secrets.randbits(32))


@pytest.mark.soak
@pytest.mark.timeout(800)
async def test_two_hundred_killed_replicas_lose_and_repeat_nothing(bedrock: Bedrock, journal_url: str) -> None:
    await kill_replicas(bedrock, journal_url, 200, seed=secrets.randbits(32))


async def kill_workers(replica: Replica, times: int, seed: int) -> None:
    """Kill two workers of three, again and again; the others, and those that replace them, go on."""
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance = random.Random(seed)  # noqa: S311 - a test's
    await replica.ready()
    whole = await Reader(replica, body=question()).whole_text()
    while times > 0:
        readers = [Reader(replica, body=question(model_id=model)) for model in MODELS]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.run())
            await asyncio.gather(*(reader.has(1) for reader in readers))
            producers = {reader.producer: reader for reader in readers}
            victims = chance.sample(sorted(producers), min(times, len(producers), 2))
            killed = await asyncio.gather(*(kill_at(pid, producers[pid], chance.randrange(1, 40)) for pid in victims))
        times -= sum(killed)
        await check_all(readers, whole, replica)
        if times > 0:
            await replica.ready()


async def kill_replicas(bedrock: Bedrock, journal_url: str, times: int, seed: int) -> None:
    """Kill two replicas of three, again and again; each is replaced by a new one."""
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance = random.Random(seed)  # noqa: S311 - a test's
    with ExitStack() as stack:
        replicas = await begun(bedrock, journal_url, stack, 3)
        whole = await Reader(replicas[0], body=question()).whole_text()
        async with proxy() as way:
            while times > 0:
                way.ports[:] = [replica.port for replica in replicas]
                readers = [Reader(replicas[n % 3], body=question(model_id=model)) for n, model in enumerate(MODELS)]
                async with asyncio.TaskGroup() as tasks:
                    for reader in readers:
                        tasks.create_task(reader.run())
                    await asyncio.gather(*(reader.has(1) for reader in readers))
                    for reader in readers:
                        reader.to = way.url
                    victims = chance.sample(range(3), min(times, 2))
                    killed = await asyncio.gather(
                        *(
                            kill_at(replicas[n].pid, chance.choice(readers[n::3]), chance.randrange(1, 40))
                            for n in victims
                        )
                    )
                times -= sum(killed)
                fresh = await begun(bedrock, journal_url, stack, len(victims))
                for number, replica in zip(victims, fresh, strict=True):
                    replicas[number] = replica
                await check_all(readers, whole, replicas[victims[0]])


async def begun(bedrock: Bedrock, journal_url: str, stack: ExitStack, count: int) -> list[Replica]:
    replicas = [Replica(bedrock, journal_url) for _ in range(count)]
    stack.enter_context(started(*replicas))
    await asyncio.gather(*(replica.ready() for replica in replicas))
    return replicas


async def kill_at(pid: int, reader: Reader, count: int) -> bool:
    """Kill a process when one of its streams has come to some event. False: the stream was over by then."""
    await reader.has(count)
    os.kill(pid, signal.SIGKILL)
    return not reader.end


async def check_all(readers: list[Reader], whole: str, replica: Replica) -> None:
    """Hold each reader to what he may have seen, and a process that was not there to the same."""
    for model, reader in zip(MODELS, readers, strict=True):
        check(reader, whole, goes_on=model == CLAUDE)
        again = Reader(replica, stream_id=reader.stream_id)
        await again.run()
        assert again.events == reader.events
        assert (await replica.state(reader.stream_id))["state"] in {"done", "failed"}


def check(reader: Reader, whole: str, *, goes_on: bool) -> None:
    """Hold a reader to what it may see: the same text as without any kill, or as much of it and one honest error."""
    assert reader.end
    if "error" not in reader.end:
        assert reader.text == whole
        assert reader.end["stop_reason"] == "end_turn"
        return
    assert not goes_on, reader.end
    assert whole.startswith(reader.text)
    assert reader.text
    said = {name: reader.end[name] for name in ("code", "status", "retryable", "partial")}
    assert said == {"code": "interrupted", "status": 502, "retryable": True, "partial": True}


async def test_a_stream_that_the_other_process_cannot_go_on_with_ends_honestly(
    bedrock: Bedrock, journal_url: str
) -> None:
    """Two replicas with different settings, as in the middle of a deploy."""
    here = Replica(bedrock, journal_url, model_aliases={"mine": CLAUDE})
    there = Replica(bedrock, journal_url, model_aliases={"another": CLAUDE})
    with started(here, there):
        await asyncio.gather(here.ready(), there.ready())
        reader = Reader(here, body=question(model_id="mine"), headers={"X-Artesian-Fault": "gate@5"})
        async with reader.connected() as chunks:
            await reader.take(chunks, until=6)
            here.signal(signal.SIGKILL)
        reader.to = there
        await reader.run()

    assert reader.end
    assert "error" in reader.end
    check(reader, reader.text, goes_on=False)
