"""`Idempotency-Key`: a POST that is sent again attaches to what the first one began."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.harness import Service, running, text_of
from tests.native.gates import call_of, release
from tests.native.test_resuming import stream_of
from tests.waiting import patience

KEY = {"Idempotency-Key": "k-1"}


async def test_fifty_posts_at_once_with_one_key_make_one_upstream_call(service: Service) -> None:
    streams = await asyncio.gather(*(service.stream(headers=KEY) for _ in range(50)))

    assert all(stream == streams[0] for stream in streams)
    assert len(await service.calls()) == 1


async def test_a_whole_answer_can_be_asked_for_again(service: Service) -> None:
    answers = [(await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=KEY)).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(await service.calls()) == 1


async def test_the_order_of_the_members_makes_no_other_body(service: Service) -> None:
    one = await service.http.post("/api/generate", json={"prompt": "Hi", "max_tokens": 9}, headers=KEY)
    other = await service.http.post("/api/generate", json={"max_tokens": 9, "prompt": "Hi"}, headers=KEY)

    assert one.json() == other.json()


async def test_both_addresses_of_a_stream_are_the_same_request(service: Service) -> None:
    one = await service.stream(headers=KEY)
    async with service.open(path="/api/generate", headers=KEY, stream=True) as events:
        assert [event async for event in events] == one


async def test_the_same_body_finds_its_stream_at_either_address(service: Service) -> None:
    whole = (await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=KEY)).json()
    streamed = await service.stream(headers=KEY)

    assert stream_of(streamed[0]) == whole["stream_id"]
    assert text_of(streamed) == whole["text"]


async def test_another_body_under_the_same_key_is_refused(service: Service) -> None:
    await service.stream(headers=KEY)
    response = await service.http.post("/api/generate/stream", json={"prompt": "Ho"}, headers=KEY)

    assert response.status_code == 422
    assert response.json()["code"] == "validation"
    assert "Idempotency-Key" in response.json()["error"]


async def test_another_key_is_another_generation(service: Service) -> None:
    one = await service.stream(headers={"Idempotency-Key": "a"})
    other = await service.stream(headers={"Idempotency-Key": "b"})

    assert stream_of(one[0]) != stream_of(other[0])


@pytest.mark.parametrize("wrong", ["", "two words", "x" * 256, "ü"])
async def test_a_key_has_1_to_255_visible_characters(service: Service, wrong: str) -> None:
    headers = {b"Idempotency-Key": wrong.encode()}
    response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

    assert response.status_code in {400, 422}
    assert response.json()["code"] == "validation"
    assert "Idempotency-Key" in response.json()["error"]


async def test_a_key_of_255_characters_will_do(service: Service) -> None:
    headers = {"Idempotency-Key": "~" * 255}

    assert await service.stream(headers=headers) == await service.stream(headers=headers)


async def test_a_generation_that_failed_keeps_its_key(service: Service) -> None:
    one, other = [await service.stream(fault="cut@2", on_interruption="fail", headers=KEY) for _ in range(2)]

    assert one == other
    assert len(await service.calls()) == 1


@pytest.mark.parametrize(
    "body", [{"prompt": ""}, {"prompt": "Hi", "top_k": 5, "model_id": "amazon.titan-text-lite-v1"}]
)
async def test_a_refused_request_leaves_its_key_free(service: Service, body: dict[str, object]) -> None:
    refused = await service.http.post("/api/generate", json=body, headers=KEY)
    taken = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=KEY)

    assert refused.status_code == 422
    assert taken.status_code == 200


async def test_a_full_service_leaves_the_key_free() -> None:
    async with running(max_streams=1, max_queue=0) as service:
        async with service.open(fault="gate@1"):
            await call_of(service, state="waiting")
            refused = await service.http.post("/api/generate", json={"prompt": "Ho"}, headers=KEY)
            assert refused.json()["code"] == "overloaded"
            await release(service)
        assert (await service.stream(prompt="Hello", headers=KEY))[-1].data["done"] is True


async def test_a_wait_for_a_place_that_was_too_long_leaves_the_key_free() -> None:
    async with running(max_streams=1, queue_timeout=0.1) as service:
        async with service.open(fault="gate@1"):
            await call_of(service, state="waiting")
            refused = await service.http.post("/api/generate", json={"prompt": "Ho"}, headers=KEY)
            assert refused.json()["code"] == "overloaded"
            await release(service)
        assert (await service.stream(prompt="Hello", headers=KEY))[-1].data["done"] is True


async def test_a_full_service_still_attaches_who_was_there_before() -> None:
    async with running(max_streams=1, max_queue=0) as service, AsyncExitStack() as stack:
        first = await stack.enter_async_context(service.open(fault="gate@1", headers=KEY))
        await call_of(service, state="waiting")
        again = await stack.enter_async_context(service.open(headers=KEY))
        await release(service)

        assert [event async for event in first] == [event async for event in again]


async def test_a_key_is_forgotten_with_its_stream() -> None:
    async with running(stream_ttl=0.2) as service:
        await service.stream(headers=KEY)

        async with patience():
            while len(await service.calls()) == 1:
                await service.http.post("/api/generate", json={"prompt": "Another body"}, headers=KEY)
