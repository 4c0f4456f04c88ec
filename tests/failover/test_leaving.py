"""Cancelling and leaving, where reader and producer are on different replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.failover.conftest import GRACE_S, Pair
from tests.failover.processes import http
from tests.failover.reader import Reader, question
from tests.harness import CLAUDE, Json
from tests.waiting import eventually, let_pass


@asynccontextmanager
async def held(pair: Pair, fault: str = "gate@5", **headers: str) -> AsyncIterator[tuple[Reader, Json]]:
    """Begin a generation here that stands still at a gate; it has a reader while the block lasts."""
    sent = {"X-Artesian-Fault": fault} | {name.replace("_", "-"): value for name, value in headers.items()}
    reader = Reader(pair.here, body=question(), headers=sent)
    async with reader.connected() as chunks:
        await reader.take(chunks, until=6 if "@" in fault else 1)
        (call,) = await pair.bedrock.calls(reader.stream_id)
        yield reader, call


@pytest.mark.parametrize("fault", ["gate@5", "gate"], ids=["after some text", "before the first"])
async def test_delete_reaches_a_producer_on_another_replica(pair: Pair, fault: str) -> None:
    async with held(pair, fault) as (reader, call):
        other = asyncio.create_task(Reader(pair.there, stream_id=reader.stream_id).run())
        async with http(pair.there.url) as there:
            answer = await there.delete(f"/api/streams/{reader.stream_id}")
            over = await pair.bedrock.closed(call)
            again = await there.delete(f"/api/streams/{reader.stream_id}")
    end = await reader.run()

    assert over["client_left"] is True
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert again.json() == answer.json()
    assert (end["done"], end["stop_reason"]) == (True, "cancelled")
    assert await other == end
    if "@" in fault:
        assert end["usage"]["estimated"] is True
        assert end["usage"]["output_tokens"] > 0


async def test_what_a_cancelled_stream_had_is_kept_for_every_replica(pair: Pair) -> None:
    async with held(pair) as (reader, _), http(pair.there.url) as there:
        await there.delete(f"/api/streams/{reader.stream_id}")
    await reader.run()

    for replica in pair.replicas:
        told = await replica.state(reader.stream_id)
        assert (told["state"], told["text"], told["stop_reason"]) == ("cancelled", reader.text, "cancelled")
        assert told["usage"] == reader.events[-1].data["usage"]


async def test_cancel_stops_bedrock_at_once_when_the_last_reader_leaves(pair: Pair) -> None:
    async with held(pair, X_On_Disconnect="cancel") as (_, call):
        pass
    over = await pair.bedrock.closed(call)

    assert over["client_left"] is True


async def test_a_reader_on_another_replica_keeps_a_detached_generation_alive(pair: Pair) -> None:
    other = Reader(pair.there)
    async with held(pair) as (reader, call):
        other.stream_id = reader.stream_id
        following = asyncio.create_task(other.run())
        await other.has(6)
    await let_pass(2 * GRACE_S)
    (now,) = await pair.bedrock.calls(reader.stream_id)
    assert now["state"] == "waiting"
    await pair.bedrock.release(call)
    assert (await following)["stop_reason"] == "end_turn"


async def test_a_detached_generation_ends_after_its_grace_once_the_last_reader_anywhere_has_left(pair: Pair) -> None:
    other = Reader(pair.there)
    async with held(pair) as (reader, call):
        other.stream_id = reader.stream_id
        connection = other.connected()
        chunks = await connection.__aenter__()
        await other.take(chunks, until=6)
    (now,) = await pair.bedrock.calls(reader.stream_id)
    assert now["state"] == "waiting"
    await connection.__aexit__(None, None, None)
    over = await pair.bedrock.closed(call)
    end = await other.run()

    assert over["client_left"] is True
    assert end["stop_reason"] == "cancelled"


async def test_a_drained_generation_ends_by_itself_with_an_exact_bill(pair: Pair) -> None:
    async with held(pair, X_On_Disconnect="drain") as (reader, call):
        pass
    await pair.bedrock.release(call)
    over = await pair.bedrock.closed(call)

    async def is_done() -> bool:
        return bool((await pair.there.state(reader.stream_id))["state"] == "done")

    await eventually(is_done)
    assert over["client_left"] is False
    assert (await pair.there.state(reader.stream_id))["usage"]["estimated"] is False


async def test_a_whole_answer_ends_with_its_caller_though_others_could_read_it(pair: Pair) -> None:
    headers = {"X-Artesian-Fault": "gate@5", "X-Request-Id": "whole"}
    async with http(pair.here.url) as here:
        asking = asyncio.create_task(here.post("/api/generate", json=question(), headers=headers))

        async def has_come() -> list[Json]:
            calls = await pair.bedrock.all_calls()
            return [call for call in calls if call["state"] == "waiting" and call["model"] == CLAUDE]

        (call,) = await eventually(has_come)
        asking.cancel()
        over = await pair.bedrock.closed(call)

    assert over["client_left"] is True
