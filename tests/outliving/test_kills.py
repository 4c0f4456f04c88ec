"""Workers that are killed in the middle of answers (docs/resuming.md, "When a process dies")."""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Iterator, Sequence

import pytest

from tests.harness import CLAUDE
from tests.outliving.processes import Bedrock, Replica, started
from tests.outliving.reader import Reader, question

CANNOT_GO_ON = "us.anthropic.claude-opus-4-6-v1"
MODELS = (CLAUDE, CLAUDE, CLAUDE, CLAUDE, CANNOT_GO_ON, CANNOT_GO_ON)  # of the streams that run at once
WORKERS = 3
TAKEN_OVER_S = 10.0


@pytest.fixture
def workers(bedrock: Bedrock, journal_url: str) -> Iterator[Replica]:
    """Three workers on one socket."""
    replica = Replica(bedrock, journal_url, workers=WORKERS)
    with started(replica):
        yield replica


@pytest.mark.timeout(150)
async def test_ten_killed_workers_lose_and_repeat_nothing(workers: Replica) -> None:
    await kill(workers, 10, seed=secrets.randbits(32))


@pytest.mark.soak
@pytest.mark.timeout(800)
async def test_a_hundred_killed_workers_lose_and_repeat_nothing(workers: Replica) -> None:
    await kill(workers, 100, seed=secrets.randbits(32))


async def kill(replica: Replica, times: int, seed: int) -> None:
    """Kill workers, each when a stream of its own has come to some event; one worker of the three always lives."""
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance = random.Random(seed)  # noqa: S311 - a test's
    await replica.ready()
    whole = {model: await text_of(Reader(replica, body=question(model_id=model))) for model in set(MODELS)}
    while times > 0:
        readers = [Reader(replica, body=question(model_id=model)) for model in MODELS]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.run())
            killed = await kill_some(readers, min(times, WORKERS - 1), chance)
        times -= len(killed)
        for model, reader in zip(MODELS, readers, strict=True):
            check(reader, whole[model], goes_on=model == CLAUDE)
        await replica.ready()
        for reader in readers:
            again = Reader(replica, stream_id=reader.stream_id)
            await again.run()
            assert again.events == reader.events


async def kill_some(readers: Sequence[Reader], most: int, chance: random.Random) -> list[int]:
    """Kill producers of these readers' streams, and return those that were caught in the middle of one."""
    await asyncio.gather(*(reader.has(1) for reader in readers))
    producers = {reader.producer: reader for reader in readers}
    victims = chance.sample(sorted(producers), min(most, len(producers), WORKERS - 1))

    async def kill_at(pid: int, count: int) -> bool:
        await producers[pid].has(count)
        os.kill(pid, signal.SIGKILL)
        return not producers[pid].end

    caught = await asyncio.gather(*(kill_at(pid, chance.randrange(1, 40)) for pid in victims))
    return [pid for pid, running in zip(victims, caught, strict=True) if running]


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


async def text_of(reader: Reader) -> str:
    await reader.run()
    return reader.text


async def test_a_stream_that_the_other_process_cannot_go_on_with_ends_honestly(
    bedrock: Bedrock, journal_url: str
) -> None:
    """Two replicas with different settings, as in the middle of a deploy."""
    here = Replica(bedrock, journal_url, model_aliases={"mine": CLAUDE})
    there = Replica(bedrock, journal_url, model_aliases={"mine": {"id": CLAUDE, "family": "nobody's"}})
    with started(here, there):
        await asyncio.gather(here.ready(), there.ready())
        reader = Reader(here, body=question(model_id="mine"), headers={"X-Artesian-Fault": "gate@5"})
        async with reader.connected() as chunks:
            await reader.take(chunks, until=6)
            here.signal(signal.SIGKILL)
        reader.to = there
        await reader.run(TAKEN_OVER_S)

    assert reader.end
    assert "error" in reader.end
    check(reader, reader.text, goes_on=False)
