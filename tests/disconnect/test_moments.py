"""Readers that leave, at each moment there is: Bedrock's connection is closed at once, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pytest

from tests.harness import Json, Service, fault_header, running
from tests.native.gates import call_of
from tests.waiting import eventually


class Moment(NamedTuple):
    """What holds the answer, and how far the upstream call has come then."""

    fault: str
    state: str
    settings: Json


HELD = {
    "before the status line": Moment("gate", "waiting", {"commit_after": 60}),
    "before the first frame": Moment("gate", "waiting", {"commit_after": 0}),
    "before the first delta": Moment("gate@open", "waiting", {}),
    "between two deltas": Moment("gate@2", "waiting", {}),
    "while Bedrock is silent": Moment("stall@2", "open", {}),
}


@pytest.mark.parametrize("moment", HELD.values(), ids=HELD)
@pytest.mark.parametrize("path", ["/api/generate/stream", "/api/generate"])
async def test_a_reader_that_leaves_closes_bedrocks_connection(path: str, moment: Moment) -> None:
    async with running(on_disconnect="cancel", **moment.settings) as service:
        async with asking(service, path, moment.fault):
            call = await call_of(service, state=moment.state, deltas=2 if moment.fault.endswith("2") else 0)
        closed = await call_of(service, state="closed")

        assert closed["client_left"] is True
        assert closed["deltas"] == call["deltas"]
        await nothing_is_left(service)


@pytest.mark.parametrize("path", ["/api/generate/stream", "/api/generate"])
async def test_a_reader_that_leaves_while_we_wait_to_try_again_ends_the_waiting(path: str) -> None:
    async with running(on_disconnect="cancel") as service:
        async with asking(service, path, "throttle+retry-after=60"):
            await call_of(service, state="closed")
        await nothing_is_left(service)

        assert len(await service.calls()) == 1


@pytest.mark.parametrize("path", ["/api/generate/stream", "/api/generate"])
async def test_a_reader_that_leaves_the_queue_gives_up_its_place(path: str) -> None:
    async with running(on_disconnect="cancel", max_streams=1) as service:
        async with service.open(fault="gate@1"):
            await call_of(service, state="waiting")
            async with asking(service, path, None):
                await eventually(lambda: streams_are(service, 2))
            await eventually(lambda: streams_are(service, 1))
        await nothing_is_left(service)

        assert len(await service.calls()) == 1


async def test_a_reader_that_leaves_in_a_flood_stops_it() -> None:
    """A generator with something ready at each step never waits, and so is never told that its reader has gone."""
    async with running(on_disconnect="cancel") as service:
        async with service.open(prompt="Write 4000 words.", max_tokens=8000) as events:
            await anext(events)
        closed = await call_of(service, state="closed")
        await nothing_is_left(service)

    assert closed["deltas"] < 3000


async def test_an_event_source_that_leaves_is_a_reader_like_any_other() -> None:
    async with running(on_disconnect="cancel") as service:
        headers = {"Accept": "text/event-stream", **fault_header("gate@2")}
        async with service.http.stream("GET", "/api/generate?prompt=Hi", headers=headers) as response:
            assert response.status_code == 200
            await call_of(service, state="waiting")

        assert (await call_of(service, state="closed"))["client_left"] is True
        await nothing_is_left(service)


async def test_a_get_of_a_whole_answer_that_leaves_too() -> None:
    async with running() as service:
        asking = asyncio.create_task(
            service.http.get("/api/generate?prompt=Hi&stream=false", headers=fault_header("gate"))
        )
        await call_of(service, state="waiting")
        asking.cancel()

        assert (await call_of(service, state="closed"))["client_left"] is True
        await nothing_is_left(service)


async def test_a_hundred_readers_that_leave_at_once_leave_nothing_open() -> None:
    """With `asyncio.wait_for` around each read, a quarter of them stayed open (Python 3.11)."""
    async with running(on_disconnect="cancel") as service:
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(service.open(fault="rate=2000")) for _ in range(100)]
            await asyncio.gather(*(anext(reader) for reader in readers))
        await nothing_is_left(service)

        assert {call["state"] for call in await service.calls()} == {"closed"}


async def test_who_leaves_before_it_has_sent_its_body_starts_nothing() -> None:
    async with running() as service:
        _, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
        writer.write(
            b"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"prompt": "Hi'
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await service.ask()

        assert len(await service.calls()) == 1


async def test_the_usage_of_a_cancelled_stream_is_what_was_counted_and_is_called_an_estimate() -> None:
    async with running(on_disconnect="cancel") as service:
        async with service.open(fault="gate@3") as events:
            shown = [await anext(events) for _ in range(4)]
        state = await eventually(lambda: ended(service, shown[0].data["stream_id"]))

    assert state["state"] == "cancelled"
    assert state["stop_reason"] == "cancelled"
    assert state["usage"]["estimated"] is True
    assert state["usage"]["output_tokens"] == pytest.approx(len(state["text"]) / 4, abs=1)


@asynccontextmanager
async def asking(service: Service, path: str, fault: str | None) -> AsyncIterator[None]:
    """Ask while the block lasts, and hang up at its end, whatever has come by then."""
    request = service.http.post(path, json={"prompt": "Hi"}, headers=fault_header(fault))
    task = asyncio.create_task(request)
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])


async def nothing_is_left(service: Service) -> None:
    await eventually(lambda: streams_are(service, 0))

    async def closed() -> bool:  # which Bedrock hears of a moment after the stream has ended here
        return {call["state"] for call in await service.calls()} <= {"closed"}

    assert await eventually(closed)


async def streams_are(service: Service, count: int) -> bool:
    ready: Json = (await service.http.get("/readyz")).json()
    return bool(ready["streams"] == count)


async def ended(service: Service, stream_id: str) -> Json | None:
    state = await service.state(stream_id)
    return state if state["state"] in {"done", "failed", "cancelled"} else None
