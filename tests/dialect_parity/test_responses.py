"""Responses as resources: in the background, resumed, cancelled, deleted, referred to, and kept."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import with_fault
from tests.harness import Service, running
from tests.native.gates import call_of, release
from tests.waiting import eventually, patience


async def finished(client: openai.AsyncOpenAI, response: Any) -> Any:
    """Poll a response as OpenAI's examples do."""
    async with patience():
        while response.status in {"queued", "in_progress"}:
            response = await client.responses.retrieve(response.id)
    return response


async def test_a_background_response_is_answered_at_once_and_finishes_by_itself(service: Service) -> None:
    async with sdks.openai(service) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "gate@2"))
        assert (response.status, response.background) == ("queued", True)

        running_yet = await eventually(lambda: in_progress(client, response.id))
        assert running_yet.output[0].content[0].text

        await release(service)
        assert (await finished(client, response)).status == "completed"


async def in_progress(client: openai.AsyncOpenAI, response_id: str) -> Any:
    response = await client.responses.retrieve(response_id)
    return response if response.status == "in_progress" and response.output else None


async def test_a_background_response_is_resumed_after_its_connection_was_cut(service: Service) -> None:
    """The official client's way: `starting_after` the last number it has seen."""
    asked = with_fault(asks.responses("Tell me about wells.", background=True, stream=True), "gate@3")
    seen: list[Any] = []
    async with sdks.openai(service) as client:
        stream: Any = await client.responses.create(**asked)
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
        await stream.response.aclose()  # the connection goes
        await release(service)

        resumed = await client.responses.retrieve(
            seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number
        )
        seen += [event async for event in resumed]
        again = [event async for event in await client.responses.retrieve(seen[0].response.id, stream=True)]

    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert seen == again
    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output[0].content[0].text == "".join(
        event.delta for event in seen if event.type == "response.output_text.delta"
    )


async def test_a_reader_of_a_background_response_that_leaves_cancels_nothing() -> None:
    async with running(resume_grace=0) as service, sdks.openai(service) as client:
        asked = with_fault(asks.responses("Hi", background=True, stream=True), "gate@2")
        asked["extra_headers"]["X-On-Disconnect"] = "cancel"
        stream: Any = await client.responses.create(**asked)
        first = await anext(stream)
        await stream.response.aclose()
        assert (await client.responses.retrieve(first.response.id)).status == "in_progress"
        await release(service)

        assert (await finished(client, first.response)).status == "completed"


async def test_the_streams_of_others_are_cancelled_when_their_reader_leaves(service: Service) -> None:
    async with sdks.openai(service) as client:
        stream: Any = await client.responses.create(**with_fault(asks.responses("Hi", stream=True), "gate@2"))
        first = await anext(stream)
        await stream.response.aclose()

        assert (await call_of(service, state="closed"))["client_left"] is True
        assert (await finished(client, first.response)).status == "cancelled"


async def test_a_cancelled_response_ends_its_stream_and_says_so(service: Service) -> None:
    async with sdks.openai(service) as client:
        asked = with_fault(asks.responses("Tell me about wells.", background=True, stream=True), "gate@3")
        stream: Any = await client.responses.create(**asked)
        first = await anext(stream)
        cancelled = await client.responses.cancel(first.response.id)
        events = [event async for event in stream]

        assert cancelled.status == "cancelled"
        assert events[-1].type == "response.incomplete"
        assert events[-1].response.status == "cancelled"
        assert (await client.responses.retrieve(first.response.id)).status == "cancelled"
        assert (await client.responses.cancel(first.response.id)).status == "cancelled"  # a second time


@pytest.mark.asyncio(loop_scope="module")
async def test_a_failed_response_is_read_as_failed(shared: Service) -> None:
    async with sdks.openai(shared) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "eol"))
        response = await finished(client, response)

    assert response.status == "failed"
    assert response.error
    assert "end of its life" in response.error.message


@pytest.mark.asyncio(loop_scope="module")
async def test_a_deleted_response_is_not_found(shared: Service) -> None:
    async with sdks.openai(shared) as client:
        response = await client.responses.create(**asks.responses("Hi"))
        await client.responses.delete(response.id)

        for gone in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
            with pytest.raises(openai.NotFoundError):
                await gone(response.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(**asks.responses("And?", previous_response_id=response.id))
        assert caught.value.code == "previous_response_not_found"


async def test_deleting_a_response_that_is_being_given_cancels_it(service: Service) -> None:
    async with sdks.openai(service) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "gate@1"))
        await call_of(service, state="waiting")
        await client.responses.delete(response.id)

        assert (await call_of(service, state="closed"))["client_left"] is True
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_response_that_is_not_stored_cannot_be_referred_to(shared: Service) -> None:
    async with sdks.openai(shared) as client:
        response = await client.responses.create(**asks.responses("Hi", store=False))

        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(**asks.responses("And?", previous_response_id=response.id))
        with pytest.raises(openai.BadRequestError, match=r"input\.0\.id"):
            await client.responses.create(
                **asks.responses("") | {"input": [{"type": "item_reference", "id": response.output[0].id}]}
            )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["resp_1", "resp_" + "0" * 32, "else"])
async def test_an_id_that_nobody_knows_is_not_found(shared: Service, name: str) -> None:
    async with sdks.openai(shared) as client:
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(name)
        with pytest.raises(openai.NotFoundError):
            await client.responses.input_items.list(name)


async def test_a_response_that_is_not_finished_cannot_be_gone_on_from(service: Service) -> None:
    async with sdks.openai(service) as client:
        response = await client.responses.create(**with_fault(asks.responses("Hi", background=True), "gate@1"))
        with pytest.raises(openai.BadRequestError, match="not finished"):
            await client.responses.create(**asks.responses("And?", previous_response_id=response.id))


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_response_was_asked_with_is_listed_in_pages(shared: Service) -> None:
    async with sdks.openai(shared) as client:
        given: Any = [{"role": "user", "content": f"Number {number}"} for number in range(5)]
        response = await client.responses.create(model=sdks.HAIKU, input=given)
        pages = [item async for item in client.responses.input_items.list(response.id, limit=2, order="asc")]
        newest = await client.responses.input_items.list(response.id, limit=1)

        asked: list[Any] = list(pages)
        assert [item.content[0].text for item in asked] == [f"Number {number}" for number in range(5)]
        assert newest.data == pages[-1:]
        referred: Any = [{"type": "item_reference", "id": newest.data[0].id}]
        assert (await client.responses.create(model=sdks.HAIKU, input=referred)).output_text


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'kept.db'}"


async def test_responses_outlive_their_streams_and_their_process(address: str) -> None:
    async with running(database_url=address) as first, sdks.openai(first) as client:
        called = await client.responses.create(**asks.RESPONSES["reasoning and calls"])
        results: Any = [
            {"type": "function_call_output", "call_id": item.call_id, "output": "Rain"}
            for item in called.output
            if item.type == "function_call"
        ]
    async with running(database_url=address) as second, sdks.openai(second) as client:
        assert await client.responses.retrieve(called.id) == called
        going_on = asks.RESPONSES["reasoning and calls"] | {"input": results, "previous_response_id": called.id}
        assert "Rain" in (await client.responses.create(**going_on)).output_text
        with pytest.raises(openai.NotFoundError, match="events of this response"):
            await client.responses.retrieve(called.id, stream=True)
        await client.responses.delete(called.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(called.id)


def has_rows(address: str) -> bool:
    """Whether a response is stored in a SQLite file."""
    with closing(sqlite3.connect(address.removeprefix("sqlite+aiosqlite:///"))) as database, suppress(sqlite3.Error):
        return bool(database.execute("SELECT count(*) FROM responses").fetchone()[0])
    return False


async def test_a_response_whose_process_was_shut_down_is_read_as_failed(address: str) -> None:
    async with running(database_url=address, drain_timeout=0) as first, sdks.openai(first) as client:
        asked = with_fault(asks.responses("Hi", background=True), "gate@2")
        response = await client.responses.create(**asked)
        await call_of(first, state="waiting")
        await eventually(lambda: has_rows(address))
    async with running(database_url=address) as second, sdks.openai(second) as client:
        read = await client.responses.retrieve(response.id)
        assert read.status == "failed"
        assert read.error


async def test_responses_expire(address: str) -> None:
    async with running(database_url=address, response_ttl=0.2) as service, sdks.openai(service) as client:
        response = await client.responses.create(**asks.responses("Hi"))
        await eventually(lambda: is_gone(client, response.id))
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(**asks.responses("And?", previous_response_id=response.id))


async def is_gone(client: openai.AsyncOpenAI, response_id: str) -> bool:
    try:
        await client.responses.retrieve(response_id)
    except openai.NotFoundError:
        return True
    return False


@pytest.fixture
async def without_database(tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose database cannot be opened."""
    (tmp_path / "file").touch()
    async with running(database_url=f"sqlite+aiosqlite:///{tmp_path / 'file' / 'no.db'}") as service:
        yield service


async def test_a_database_that_is_away_breaks_only_what_needs_it(without_database: Service) -> None:
    async with sdks.openai(without_database) as client:
        response = await client.responses.create(**asks.responses("Hi"))
        again = await client.responses.retrieve(response.id)  # its stream is still kept
        going_on = await client.responses.create(**asks.responses("And?", previous_response_id=response.id))
        referred: Any = [{"type": "item_reference", "id": response.output[0].id}, {"role": "user", "content": "And?"}]
        assert (await client.responses.create(model=sdks.HAIKU, input=referred)).output_text
        assert again == response
        assert going_on.output_text
        with pytest.raises(openai.InternalServerError) as caught:
            await client.responses.retrieve("resp_" + "0" * 32)

    assert caught.value.status_code == 503


async def test_an_idempotency_key_attaches_to_the_same_response(service: Service) -> None:
    async with sdks.openai(service) as client:
        asked = asks.responses("Hi", extra_headers={"Idempotency-Key": "one"})
        first, second = await asyncio.gather(*(client.responses.create(**asked) for _ in range(2)))
        with pytest.raises(openai.UnprocessableEntityError):
            await client.responses.create(**asked | {"input": "Else"})

    assert first == second
    assert len(await service.calls()) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_starting_after_is_a_number(shared: Service) -> None:
    async with sdks.openai(shared) as client:
        response = await client.responses.create(**asks.responses("Hi"))
    wrong = await shared.http.get(f"/v1/responses/{response.id}?stream=true&starting_after=x")

    assert wrong.status_code == 400
    assert wrong.json()["error"]["param"] == "starting_after"
