"""Processes that die or stand still at particular moments: before anything was shown, while paused, again and again."""

import asyncio
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.failover.conftest import Pair, pair_on
from tests.failover.processes import Bedrock, Replica, started
from tests.failover.proxy import proxy
from tests.failover.reader import Reader, question
from tests.harness import Json
from tests.native.test_events import WEATHER
from tests.streams.servers import Server
from tests.waiting import eventually

INTERRUPTED = {"code": "interrupted", "status": 502, "retryable": True, "partial": True}


@pytest.fixture
def couple(bedrock: Bedrock, journal_url: str) -> Iterator[Pair]:
    """Two replicas of the test's own."""
    with pair_on(bedrock, journal_url) as pair:
        yield pair


async def test_a_generation_that_dies_before_its_first_text_is_begun_anew_unseen(couple: Pair) -> None:
    """Its reader has the start event, and whoever waits for the status line has only his key."""
    here, there, bedrock = couple
    whole = Reader(there, body=question())
    await whole.run()
    calls = len(await bedrock.all_calls())
    begun = Reader(here, body=question(), headers={"X-Artesian-Fault": "gate,ok"})
    async with begun.connected() as chunks:
        await begun.take(chunks, until=1)
        waiting = Reader(
            here, body=question(max_tokens=300), headers={"Idempotency-Key": "k", "X-Artesian-Fault": "slow=60,ok"}
        )
        asking = asyncio.create_task(waiting.run())
        await eventually(partial(has_calls, bedrock, calls + 2))
        here.signal(signal.SIGKILL)
    begun.to = waiting.to = there
    await begun.run()
    await asking

    for reader in (begun, waiting):
        assert reader.text == whole.text
        assert reader.states() == []
        assert [call["attempt"] for call in await bedrock.calls(reader.stream_id)] == [0, 1]


async def has_calls(bedrock: Bedrock, count: int) -> bool:
    return len(await bedrock.all_calls()) >= count


async def test_a_producer_that_stood_still_and_was_replaced_adds_nothing_and_its_readers_go_on(couple: Pair) -> None:
    here, there, bedrock = couple
    whole = Reader(there, body=question())
    await whole.run()
    reader = Reader(here, body=question(), headers={"X-Artesian-Fault": "rate=20,ok"})
    async with reader.connected() as chunks:
        await reader.take(chunks, until=5)
        here.signal(signal.SIGSTOP)
        other = Reader(there, stream_id=reader.stream_id)
        await other.run()
        here.signal(signal.SIGCONT)
        await reader.take(chunks)

    assert reader.connections == 1
    assert reader.events == other.events
    assert reader.text == whole.text
    assert reader.states() == ["continued"]
    first, second = await bedrock.calls(reader.stream_id)
    assert (await bedrock.closed(first))["client_left"] is True
    assert second["state"] == "closed"


POLICIES: dict[str, tuple[Json, str]] = {
    "Claude goes on": ({}, "continued"),
    "Nova goes on": ({"model_id": "amazon.nova-lite-v1:0"}, "continued"),
    "a raw prompt goes on": ({"model_id": "us.meta.llama3-1-8b-instruct-v1:0", "api": "invoke"}, "continued"),
    "it begins again": ({"on_interruption": "restart"}, "restarted"),
    "it may not go on": ({"on_interruption": "fail"}, ""),
    "it cannot go on": ({"model_id": "us.anthropic.claude-opus-4-6-v1"}, ""),
    "a call of a tool is not gone on with": ({"tools": [WEATHER], "tool_choice": "any"}, ""),
    "nor is reasoning": ({"reasoning": {"budget_tokens": 1024}, "max_tokens": 1500}, ""),
}


async def test_what_becomes_of_a_dead_process_answers_is_as_was_asked(couple: Pair) -> None:
    here, there, _ = couple
    wholes = [Reader(there, body=question(**asked)) for asked, _ in POLICIES.values()]
    readers = [
        Reader(here, body=question(**asked), headers={"X-Artesian-Fault": "gate@3,ok"})
        for asked, _ in POLICIES.values()
    ]
    async with asyncio.TaskGroup() as tasks:
        for whole in wholes:
            tasks.create_task(whole.run())
        for reader in readers:
            tasks.create_task(reader.run())
        for reader in readers:
            await reader.has(4)
        here.signal(signal.SIGKILL)
        for reader in readers:
            reader.to = there

    for (name, (_, state)), reader, whole in zip(POLICIES.items(), readers, wholes, strict=True):
        assert reader.end
        if state:
            assert (name, reader.states(), reader.text) == (name, [state], whole.text)
            assert reader.end["usage"]["estimated"] is True
            assert reader.end["metrics"]["attempts"] == 2
        else:
            said = {member: reader.end.get(member) for member in ("code", "status", "retryable", "partial")}
            assert (name, said) == (name, INTERRUPTED)
            assert reader.states() == []


async def test_a_dead_process_streams_find_a_place_in_a_full_one(bedrock: Bedrock, valkey: Server) -> None:
    here, there = (Replica(bedrock, valkey.url, max_streams=1, max_queue=0) for _ in range(2))
    with started(here, there):
        await asyncio.gather(here.ready(), there.ready())
        readers = [Reader(at, body=question(), headers={"X-Artesian-Fault": "gate@3,ok"}) for at in (here, there)]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.run())
            for reader in readers:
                await reader.has(4)
            here.signal(signal.SIGKILL)
            readers[0].to = there
            await readers[0].has(10)
            (held,) = await bedrock.calls(readers[1].stream_id)
            await bedrock.release(held)

    assert [reader.states() for reader in readers] == [["continued"], []]
    assert readers[0].text == readers[1].text


async def test_a_stream_survives_the_death_of_one_process_after_the_other(bedrock: Bedrock, valkey: Server) -> None:
    replicas = [Replica(bedrock, valkey.url) for _ in range(3)]
    with started(*replicas):
        await asyncio.gather(*(replica.ready() for replica in replicas))
        whole = Reader(replicas[0], body=question())
        await whole.run()
        async with proxy(*(replica.port for replica in replicas)) as way:
            reader = Reader(way.url, body=question(), headers={"X-Artesian-Fault": "gate@4*2,ok"})
            reading = asyncio.create_task(reader.run())
            for deaths in range(2):
                await eventually(partial(is_held, bedrock, reader, deaths))
                producer = await eventually(partial(producer_among, replicas))
                producer.signal(signal.SIGKILL)
                replicas.remove(producer)
            await reading

    assert reader.text == whole.text
    assert reader.states() == ["continued", "continued"]
    assert reader.end
    assert reader.end["usage"]["output_tokens"] >= whole.events[-1].data["usage"]["output_tokens"]
    assert reader.end["usage"]["estimated"] is True
    assert reader.end["metrics"]["attempts"] == 3


async def is_held(bedrock: Bedrock, reader: Reader, attempt: int) -> bool:
    calls = await bedrock.calls(reader.stream_id)
    return len(calls) == attempt + 1 and calls[attempt]["state"] == "waiting"


async def producer_among(replicas: list[Replica]) -> Replica | None:
    for replica in replicas:
        if (await replica.readiness())["streams"]:
            return replica
    return None
