"""The page that a public tutorial on streaming builds works unchanged: a browser's EventSource, and a POST of JSON."""

import pytest

from tests.harness import Service, events_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENT_SOURCE = {"Accept": "text/event-stream"}


async def test_its_event_source_sees_text_and_then_done(shared: Service) -> None:
    address = "/api/generate?stream=true&prompt=Hi"
    async with shared.http.stream("GET", address, headers=EVENT_SOURCE) as response:
        seen = [event.data async for event in events_of(response) if event.name == "message"]

    assert all(set(said) == {"text"} for said in seen[:-1])
    assert seen[-1]["done"] is True


async def test_its_stream_by_post_is_the_same(shared: Service) -> None:
    async with shared.open(path="/api/generate", stream=True) as events:
        seen = [event async for event in events]

    assert text_of(seen)
    assert seen[-1].data["done"] is True


async def test_its_post_without_a_stream_reads_text_model_and_latency(shared: Service) -> None:
    body = {"prompt": "Hi", "model_id": "anthropic.claude-3-haiku-20240307-v1:0", "temperature": 0.7, "max_tokens": 500}
    answer = (await shared.http.post("/api/generate", json=body | {"stream": False})).json()

    assert answer["text"]
    assert answer["model_id"] == "anthropic.claude-3-haiku-20240307-v1:0"
    assert isinstance(answer["latency"], float)


async def test_its_post_reads_the_reason_of_a_refusal_in_error(shared: Service) -> None:
    response = await shared.http.post("/api/generate", json={"stream": False})

    assert 400 <= response.status_code < 500
    assert "prompt" in response.json()["error"]


async def test_its_event_source_reads_a_refusal_in_error_and_then_leaves_us_alone(shared: Service) -> None:
    """An EventSource cannot read an HTTP error, and tries again for ever after one."""
    async with shared.http.stream("GET", "/api/generate?stream=true", headers=EVENT_SOURCE) as response:
        assert response.status_code == 200
        (refusal,) = [event async for event in events_of(response)]

    assert refusal.name == "message"
    assert "prompt" in refusal.data["error"]
    assert refusal.data["code"] == "validation"
    assert refusal.data["status"] == 422
    again = await shared.http.get("/api/generate?stream=true", headers=EVENT_SOURCE | {"Last-Event-ID": refusal.id})
    assert again.status_code == 204


async def test_its_event_source_reads_bedrocks_refusal_in_the_same_way(shared: Service) -> None:
    address = "/api/generate?stream=true&prompt=Hi&model_id=anthropic.claude-99"
    async with shared.http.stream("GET", address, headers=EVENT_SOURCE) as response:
        assert response.status_code == 200
        (refusal,) = [event async for event in events_of(response)]

    assert refusal.data["code"] == "model_not_found"
    assert refusal.data["status"] == 404
    again = await shared.http.get(address, headers=EVENT_SOURCE | {"Last-Event-ID": refusal.id})
    assert again.status_code == 204


async def test_a_get_that_accepts_no_events_gets_an_http_error(shared: Service) -> None:
    response = await shared.http.get("/api/generate?stream=true", headers={"Accept": "application/json"})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_its_event_source_comes_back_to_the_same_answer_and_starts_no_other(shared: Service) -> None:
    """What the tutorial's own server got wrong: each reconnect began, and paid for, the answer anew."""
    address = "/api/generate?stream=true&prompt=Why+does+it+rain"
    before = len(await shared.calls())
    async with shared.http.stream("GET", address, headers=EVENT_SOURCE) as response:
        seen = [event async for event in events_of(response)]
    half = seen[: len(seen) // 2]

    headers = EVENT_SOURCE | {"Last-Event-ID": half[-1].id}
    async with shared.http.stream("GET", address, headers=headers) as response:
        rest = [event async for event in events_of(response)]

    assert half + rest == seen
    assert len(await shared.calls()) == before + 1
