"""The queue as callers see it: places told, waits that end, refusals at once in each surface's own words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.disconnect.test_moments import streams_are
from tests.harness import CLAUDE, Event, Json, Service, fault_header, running
from tests.native.gates import release
from tests.waiting import eventually, patience

GATE = "gate@1"
CHAT: Json = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE: Json = {"model": CLAUDE, "input": "Hi"}
MESSAGE: Json = CHAT | {"max_tokens": 10}
SURFACES: dict[str, Json] = {
    "/api/generate": {"prompt": "Hi"},
    "/api/generate/stream": {"prompt": "Hi"},
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSE,
    "/v1/messages": MESSAGE,
}


@asynccontextmanager
async def busy(**values: Any) -> AsyncIterator[Service]:
    """A service whose one place is taken, until the gate is opened."""
    async with running(max_streams=1, commit_after=0.05, **values) as service, service.open(fault=GATE) as events:
        await anext(events)
        yield service


def places(events: list[Event]) -> list[int]:
    return [event.data["place"] for event in events if event.name == "status" and event.data["state"] == "queued"]


async def test_who_waits_with_a_stream_open_is_told_the_place_as_it_moves() -> None:
    async with busy() as service, AsyncExitStack() as stack:
        first, second, third = [await stack.enter_async_context(service.open(fault=GATE)) for _ in range(3)]
        seen: dict[int, list[Event]] = {1: [], 2: [], 3: []}

        async def read(number: int, events: AsyncIterator[Event]) -> None:
            async for event in events:
                seen[number].append(event)
                if places(seen[3]) == [3]:
                    await release(service, 1)  # the one that held the place
                if places(seen[3]) == [3, 2]:
                    await release(service)

        async with patience():
            await asyncio.gather(read(1, first), read(2, second), read(3, third))

    assert [places(seen[number])[0] for number in (1, 2, 3)] == [1, 2, 3]
    assert places(seen[3])[:2] == [3, 2]
    for events in seen.values():
        assert [event.n for event in events] == list(range(1, len(events) + 1))
        assert [event.name for event in events[:2]] == ["start", "status"]
        assert events[-1].data["done"]


async def test_a_wait_that_is_too_long_is_a_503_while_nothing_was_sent() -> None:
    async with running(max_streams=1, queue_timeout=0.1) as service, service.open(fault=GATE) as events:
        await anext(events)
        response = await service.http.post("/api/generate/stream", json={"prompt": "Hi"})

    assert response.status_code == 503
    assert response.json()["code"] == "overloaded"
    assert response.json()["retryable"] is True
    assert int(response.headers["retry-after"]) >= 1


async def test_a_wait_that_is_too_long_ends_a_stream_that_has_begun() -> None:
    async with busy(queue_timeout=0.3) as service:
        *_, last = await service.stream()

    assert (last.data["code"], last.data["status"], last.data["partial"]) == ("overloaded", 503, False)


async def test_a_reader_that_leaves_the_queue_lets_the_next_one_move_up() -> None:
    async with busy() as service:
        cancel = {"X-On-Disconnect": "cancel"}
        async with service.open(headers=cancel):
            await eventually(lambda: streams_are(service, 2))
        await eventually(lambda: streams_are(service, 1))
        async with service.open() as events:
            waiting = [await anext(events), await anext(events)]

    assert places(waiting) == [1]


async def test_a_generation_cancelled_in_the_queue_asks_nothing_of_bedrock() -> None:
    async with busy() as service:
        async with service.open() as events:
            stream_id = (await anext(events)).data["stream_id"]
            cancelled = await service.http.delete(f"/api/streams/{stream_id}")
            rest = [event async for event in events]
        calls = await service.calls()

    assert cancelled.json()["state"] == "cancelled"
    assert rest[-1].data["stop_reason"] == "cancelled"
    assert len(calls) == 1


@pytest.mark.parametrize(("path", "body"), SURFACES.items(), ids=SURFACES)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_full_queue_refuses_at_once_on_every_surface(path: str, body: Json, *, stream: bool) -> None:
    async with busy(max_queue=0, queue_timeout=600) as service:  # a wait would outlast the test
        response = await service.http.post(path, json=body | {"stream": stream})

    anthropic = path == "/v1/messages"
    assert response.status_code == (529 if anthropic else 503)
    assert int(response.headers["retry-after"]) >= 1
    assert "x-should-retry" not in response.headers
    told = response.json()
    if path.startswith("/api"):
        assert (told["code"], told["retryable"]) == ("overloaded", True)
    elif anthropic:
        assert told["error"]["type"] == "overloaded_error"
        assert told["request_id"] == response.headers["request-id"]
    else:
        assert (told["error"]["code"], told["error"]["type"]) == ("overloaded", "server_error")


async def test_a_full_queue_tells_an_event_source_by_an_event() -> None:
    async with busy(max_queue=0) as service:
        response = await service.http.get("/api/generate?prompt=Hi", headers={"Accept": "text/event-stream"})

    assert response.status_code == 200
    assert '"code":"overloaded"' in response.text


async def test_a_full_queue_refuses_in_a_conversation_and_keeps_nothing_of_it() -> None:
    async with busy(max_queue=0) as service:
        conversation = (await service.http.post("/api/conversations", json={})).json()["id"]
        refused = await service.http.post(f"/api/conversations/{conversation}/messages", json={"content": "Hi"})
        kept = (await service.http.get(f"/api/conversations/{conversation}")).json()

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert kept["messages"] == []


async def test_a_full_queue_is_told_before_the_body_is_read() -> None:
    """A refusal must cost next to nothing, or the refusals of an overload cost what the answers need."""
    async with busy(max_queue=0) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
        head = "POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 20000000\r\n\r\n".encode())
        async with patience():
            status = await reader.readline()
        writer.close()

    assert b" 503 " in status


async def test_a_key_that_is_bound_attaches_however_full_it_is() -> None:
    key = {"Idempotency-Key": "once"}
    async with running(max_streams=1, max_queue=0, commit_after=0.05) as service:
        async with service.open(fault=GATE, headers=key) as events:
            began = (await anext(events)).data["stream_id"]
            async with service.open(headers=key) as same:
                attached = (await anext(same)).data["stream_id"]
            async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": f"{began}-1"}) as back:
                resumed = back.status_code
            other = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Idempotency-Key": "two"})
            await release(service)
        free = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Idempotency-Key": "two"})

    assert attached == began
    assert resumed == 200
    assert other.status_code == 503
    assert free.status_code == 200


async def test_health_is_answered_while_the_queue_is_full() -> None:
    async with busy(max_queue=5, queue_timeout=600) as service:

        async def ask() -> int:
            response = await service.http.post(
                "/api/generate", json={"prompt": "Hi"}, headers=fault_header(GATE), timeout=20
            )
            return response.status_code

        asking = [asyncio.create_task(ask()) for _ in range(150)]
        for _ in range(20):
            assert (await service.http.get("/healthz")).status_code == 200
        await release(service)
        for task in asking:
            task.cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)

    assert 503 in answers
