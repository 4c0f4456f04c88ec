"""Resume a stream (docs/reference.md, "Resume a stream")."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.harness import Event, Service, events_of, running, text_of
from tests.native.gates import call_of, release
from tests.native.raw import read_raw
from tests.waiting import eventually, patience

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "0123456789abcdef" * 2
SSE_CALLS = [
    ("GET", "/api/generate"),
    ("GET", "/api/generate?prompt=Something+else"),
    ("POST", "/api/generate"),
    ("POST", "/api/generate/stream"),
    ("GET", "/api/streams/{stream_id}"),
]


@pytest.mark.parametrize(("method", "path"), SSE_CALLS)
async def test_any_call_that_streams_goes_on_after_the_last_event(shared: Service, method: str, path: str) -> None:
    events = await shared.stream()
    before = len(await shared.calls())
    seen = events[2]

    rest = await come_back(shared, method, path.format(stream_id=stream_of(seen)), seen.id)

    assert rest == events[3:]
    assert len(await shared.calls()) == before


@pytest.mark.parametrize("body", [b"", b"{not json", b'{"prompt": 5}', b'{"nonsense": true}', b"[]"])
async def test_whoever_comes_back_need_not_send_a_good_body_again(shared: Service, body: bytes) -> None:
    events = await shared.stream()

    headers = {"Last-Event-ID": events[0].id, "Content-Type": "application/json"}
    response = await shared.http.post("/api/generate", content=body, headers=headers)

    assert response.status_code == 200
    assert response.text.count("data: ") == len(events) - 1


async def test_after_the_last_event_there_is_nothing_more(shared: Service) -> None:
    events = await shared.stream()

    for method, path in SSE_CALLS:
        headers = {"Last-Event-ID": events[-1].id, "Content-Type": "application/json"}
        address = path.format(stream_id=stream_of(events[0]))
        response = await shared.http.request(method, address, headers=headers)
        assert (response.status_code, response.content) == (204, b"")


async def test_from_every_event_on_the_bytes_are_the_same(shared: Service) -> None:
    raw = await read_raw(shared, prompt="Say ünïcode, 水 and 🚀", max_tokens=40, fault="cut@3")
    stream_id, blocks = raw.headers["x-stream-id"], raw.body.split(b"\n\n")[:-1]

    for n in range(len(blocks)):
        again = await shared.http.get("/api/generate", headers={"Last-Event-ID": f"{stream_id}-{n}"})
        assert again.content.split(b"\n\n")[:-1] == blocks[n:]


async def test_a_stream_can_be_read_from_its_start_and_after_a_number(shared: Service) -> None:
    events = await shared.stream()
    address = f"/api/streams/{stream_of(events[0])}"

    assert await come_back(shared, "GET", address) == events
    assert await come_back(shared, "GET", f"{address}?after=3") == events[3:]
    assert (await shared.http.get(f"{address}?after={len(events)}")).status_code == 204


async def test_the_header_counts_before_the_query_as_a_browser_that_reconnects_needs_it(shared: Service) -> None:
    events = await shared.stream()

    rest = await come_back(shared, "GET", f"/api/streams/{stream_of(events[0])}?after=1", events[3].id)

    assert rest == events[4:]


@pytest.mark.parametrize("wrong", ["", "5", "nonsense", UNKNOWN, f"{UNKNOWN}-", f"{UNKNOWN}-x", f"{UNKNOWN}--1"])
async def test_an_id_that_is_none_is_400(shared: Service, wrong: str) -> None:
    response = await shared.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Last-Event-ID": wrong})

    assert response.status_code == 400
    assert response.json()["code"] == "validation"
    assert "Last-Event-ID" in response.json()["error"]


@pytest.mark.parametrize("wrong", ["-1", "x", "1.5", "", "1e3", "9" * 40, "٣"])
async def test_a_number_that_is_none_is_400(shared: Service, wrong: str) -> None:
    events = await shared.stream()

    response = await shared.http.get(f"/api/streams/{stream_of(events[0])}", params={"after": wrong})

    assert response.status_code == 400
    assert response.json()["code"] == "validation"
    assert "after" in response.json()["error"]


async def test_an_event_that_has_not_been_is_400(shared: Service) -> None:
    events = await shared.stream()

    response = await shared.http.get("/api/generate", headers={"Last-Event-ID": f"{stream_of(events[0])}-999"})

    assert response.status_code == 400


async def test_the_events_of_another_stream_are_not_given_out_under_this_ones_address(shared: Service) -> None:
    one, other = await shared.stream(), await shared.stream()

    headers = {"Last-Event-ID": other[2].id}
    response = await shared.http.get(f"/api/streams/{stream_of(one[0])}", headers=headers)

    assert response.status_code == 400


@pytest.mark.parametrize("wrong", ["5", "nonsense", UNKNOWN.upper(), UNKNOWN + "0"])
async def test_an_address_that_is_no_streams_is_400(shared: Service, wrong: str) -> None:
    for method in ("GET", "DELETE"):
        response = await shared.http.request(method, f"/api/streams/{wrong}")
        assert response.status_code == 400
        assert response.json()["code"] == "validation"


async def test_a_stream_that_nobody_knows_any_more_is_gone(shared: Service) -> None:
    by_header = await shared.http.get("/api/generate", headers={"Last-Event-ID": f"{UNKNOWN}-3"})
    by_address = await shared.http.get(f"/api/streams/{UNKNOWN}")
    cancelled = await shared.http.delete(f"/api/streams/{UNKNOWN}")

    for response in (by_header, by_address, cancelled):
        assert response.status_code == 410
        assert response.json()["code"] == "gone"


@pytest.mark.parametrize("digit", "0f")
async def test_an_id_that_somebody_makes_up_is_gone_like_any_other(shared: Service, digit: str) -> None:
    for method, path in SSE_CALLS:
        address = path.format(stream_id=digit * 32)
        headers = {"Last-Event-ID": f"{digit * 32}-3", "Content-Type": "application/json"}
        response = await shared.http.request(method, address, headers=headers)
        assert response.status_code == 410


async def test_a_stream_is_kept_for_its_time_and_then_gone() -> None:
    async with running(stream_ttl=0.2) as service:
        events = await service.stream()
        assert await service.resume(events[0].id) == events[1:]

        async with patience():
            while (await service.http.get(f"/api/streams/{stream_of(events[0])}")).status_code != 410:
                pass


async def test_an_expired_stream_leaves_the_memory_although_no_request_comes() -> None:
    async with running(stream_ttl=0.2) as service:

        async def memory_is_empty() -> bool:
            return "\nartesian_stream_memory_bytes 0.0\n" in (await service.http.get("/metrics")).text

        await service.stream()
        assert not await memory_is_empty()
        await eventually(memory_is_empty)


async def test_the_oldest_finished_streams_make_room_for_new_ones() -> None:
    async with running(stream_memory=20_000) as service:
        first = (await service.stream())[0]
        while (await service.http.get(f"/api/streams/{stream_of(first)}")).status_code == 200:
            last = (await service.stream())[0]

        assert (await service.http.get(f"/api/streams/{stream_of(first)}")).status_code == 410
        assert (await service.http.get(f"/api/streams/{stream_of(last)}")).status_code == 200


async def test_a_reader_that_was_cut_off_joins_the_live_stream_again_and_misses_nothing() -> None:
    async with running() as service:
        async with service.open(fault="gate@3") as events:
            seen = [await anext(events) for _ in range(3)]
        await call_of(service, state="waiting")

        async with following(service, seen[-1].id) as rest:
            await release(service)
            joined = seen + [event async for event in rest]
        plain = await service.stream()

    assert text_of(joined) == text_of(plain)
    assert [event.n for event in joined] == list(range(1, len(joined) + 1))
    assert len(joined) == len(plain)


async def test_many_readers_follow_one_stream_and_all_see_the_same() -> None:
    async with running() as service, service.open(fault="gate@2") as events, AsyncExitStack() as stack:
        start = await anext(events)
        others = [await stack.enter_async_context(following(service, start.id)) for _ in range(20)]
        await release(service)
        rest = [event async for event in events]

        for other in others:
            assert [event async for event in other] == rest
        assert len(await service.calls()) == 1


async def test_whoever_comes_back_to_a_failed_stream_is_told_the_failure_again(shared: Service) -> None:
    events = await shared.stream(fault="cut@2", on_interruption="fail")

    assert (await shared.resume(events[2].id))[-1] == events[-1]
    assert (await shared.state(stream_of(events[0])))["error"] == events[-1].data


async def come_back(service: Service, method: str, address: str, last_event_id: str | None = None) -> list[Event]:
    headers = {"Content-Type": "application/json"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    response = await service.http.request(method, address, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return [event_of(block) for block in response.text.split("\n\n")[:-1]]


def event_of(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    return Event(fields.get("event", "message"), fields["id"], json.loads(fields["data"]))


def stream_of(event: Event) -> str:
    return event.id.rpartition("-")[0]


@asynccontextmanager
async def following(service: Service, last_event_id: str) -> AsyncIterator[AsyncIterator[Event]]:
    """Follow a stream; inside the block the reader is there, since its status line has come."""
    async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": last_event_id}) as response:
        assert response.status_code == 200
        yield events_of(response)
