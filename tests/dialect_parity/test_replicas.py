"""Two processes with one journal and one database: a response is the same wherever it is asked for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import with_fault
from tests.harness import Service, running
from tests.native.gates import call_of, release
from tests.waiting import eventually


class Pair(NamedTuple):
    one: Service
    other: Service
    client: openai.AsyncOpenAI
    """Of the other one."""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    shared: Any = {
        "journal_url": f"sqlite:///{tmp_path / 'journal.db'}",
        "database_url": f"sqlite+aiosqlite:///{tmp_path / 'kept.db'}",
    }
    async with running(**shared) as one, running(**shared) as other, sdks.openai(other) as client:
        yield Pair(one, other, client)


async def test_a_background_response_is_followed_and_cancelled_elsewhere(pair: Pair) -> None:
    async with sdks.openai(pair.one) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "gate@2"))
    await call_of(pair.one, state="waiting")
    stream = await pair.client.responses.retrieve(response.id, stream=True)
    seen = [await anext(stream)]
    cancelled = await pair.client.responses.cancel(response.id)
    seen += [event async for event in stream]

    assert cancelled.status == "cancelled"
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert seen[-1].type == "response.incomplete"
    assert (await call_of(pair.one, state="closed"))["client_left"] is True


async def test_a_response_is_gone_on_from_elsewhere(pair: Pair) -> None:
    async with sdks.openai(pair.one) as client:
        called = await client.responses.create(**asks.RESPONSES["reasoning and calls"])
    results: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "Rain"}
        for item in called.output
        if item.type == "function_call"
    ]
    asked: Any = asks.RESPONSES["reasoning and calls"] | {"input": results, "previous_response_id": called.id}

    assert "Rain" in (await pair.client.responses.create(**asked)).output_text
    assert await pair.client.responses.retrieve(called.id) == called


async def test_a_response_deleted_elsewhere_stays_deleted(pair: Pair) -> None:
    async with sdks.openai(pair.one) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "gate@2"))
        await call_of(pair.one, state="waiting")
        await pair.client.responses.delete(response.id)
        await release(pair.one)

        async def is_gone() -> bool:
            try:
                await client.responses.retrieve(response.id)
            except openai.NotFoundError:
                return True
            return False

        await eventually(is_gone)
