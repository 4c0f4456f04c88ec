"""What a Responses request refers to counts towards `MAX_BODY` as if it had been sent."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.harness import Json, Service, running

MAX_BODY = 200_000
LONG = "a" * 50_000


@pytest_asyncio.fixture
async def small() -> AsyncIterator[Service]:
    async with running(max_body=MAX_BODY) as service:
        yield service


async def respond(service: Service, **body: object) -> httpx.Response:
    return await service.http.post("/v1/responses", json={"max_output_tokens": 20} | body)


async def asked_item(service: Service) -> str:
    """The id of an item of 50 KB that was asked."""
    first = await respond(service, input=LONG)
    assert first.status_code == 200, first.text
    return f"in_{first.json()['id'].removeprefix('resp_')}_0"


def refused(answer: httpx.Response) -> None:
    error: Json = answer.json()["error"]
    assert answer.status_code == 413, answer.text
    assert "exceeds ARTESIAN_MAX_BODY" in error["message"]


async def test_many_references_to_one_item_count_each(small: Service) -> None:
    item = await asked_item(small)
    reference = {"type": "item_reference", "id": item}
    before = len(await small.calls())

    refused(await respond(small, input=[reference] * 200))
    refused(await respond(small, input=[{"id": item}] * 4))
    assert len(await small.calls()) == before
    assert (await respond(small, input=[reference] * 3)).status_code == 200


async def test_a_chain_of_responses_counts_whole(small: Service) -> None:
    previous = (await respond(small, input=LONG)).json()["id"]
    for _ in range(2):
        answer = await respond(small, input=LONG, previous_response_id=previous)
        assert answer.status_code == 200, answer.text
        previous = answer.json()["id"]
    before = len(await small.calls())

    refused(await respond(small, input=LONG, previous_response_id=previous))
    assert len(await small.calls()) == before
    assert (await respond(small, input="Hi", previous_response_id=previous)).status_code == 200
