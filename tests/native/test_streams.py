"""A stream as a resource: what `/api/streams/{id}` shows while it runs and afterwards, and cancelling."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.harness import Json, Service, events_of, running, text_of
from tests.native.gates import call_of, release
from tests.native.test_resuming import stream_of
from tests.waiting import eventually

JSON = {"Accept": "application/json"}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_finished_stream_shows_all_that_its_end_told(shared: Service) -> None:
    events = await shared.stream()

    state = await shared.state(stream_of(events[0]))

    assert state["stream_id"] == stream_of(events[0])
    assert state["state"] == "done"
    assert state["text"] == text_of(events)
    assert state["content"] == [{"type": "text", "text": text_of(events)}]
    assert state["usage"] == events[-1].data["usage"]
    assert state["last_event"] == len(events)
    assert state["resumable"] is True
    assert state["error"] is None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_whole_answer_is_a_stream_too(shared: Service) -> None:
    answer = await shared.ask()

    assert (await shared.state(answer["stream_id"]))["text"] == answer["text"]
    assert text_of(await shared.resume(f"{answer['stream_id']}-0")) == answer["text"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_failed_stream_keeps_its_text_and_its_error(shared: Service) -> None:
    events = await shared.stream(fault="cut@2", on_interruption="fail")

    state = await shared.state(stream_of(events[0]))

    assert state["state"] == "failed"
    assert state["text"] == text_of(events)
    assert state["error"] == events[-1].data
    assert state["error"]["partial"] is True


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json", "text/event-stream"),
        ("*/*", "text/event-stream"),
    ],
)
async def test_accept_chooses_between_the_state_and_the_stream(shared: Service, accept: str, kind: str) -> None:
    events = await shared.stream()

    response = await shared.http.get(f"/api/streams/{stream_of(events[0])}", headers={"Accept": accept})

    assert response.headers["content-type"].partition(";")[0] == kind


async def test_a_stream_tells_how_far_it_has_come() -> None:
    """Held at each point: before the call is answered, in its text, in the second try."""
    async with running(commit_after=0) as service, service.open(fault="gate+cut@2,gate") as events:
        shown = [await anext(events)]
        await call_of(service, 1, state="waiting")
        state = await only_state(service)
        assert (state["state"], state["text"], state["last_event"]) == ("starting", "", 1)

        await release(service, 1)
        shown += [await anext(events) for _ in range(2)]
        await call_of(service, 2, state="waiting")
        state = await only_state(service)
        assert (state["state"], state["text"]) == ("continuing", text_of(shown))
        assert state["usage"] is None

        await release(service)
        shown += [event async for event in events]
        state = await only_state(service)
        assert (state["state"], state["text"], state["last_event"]) == ("done", text_of(shown), len(shown))


async def test_a_stream_in_mid_sentence_is_streaming() -> None:
    async with running() as service, service.open(fault="gate@2") as events:
        shown = [await anext(events) for _ in range(3)]
        state = await only_state(service)

        assert (state["state"], state["text"], state["last_event"]) == ("streaming", text_of(shown), 3)


async def test_a_generation_waits_for_its_place_and_tells_which_it_has() -> None:
    async with running(max_streams=1, commit_after=0) as service, AsyncExitStack() as stack:
        first = await stack.enter_async_context(service.open(fault="gate@1"))
        await call_of(service, state="waiting")
        second, third = [await stack.enter_async_context(service.open()) for _ in range(2)]

        start, queued = await anext(second), await anext(second)
        assert (queued.name, queued.data) == ("status", {"state": "queued", "place": 1})
        assert (await anext(third), (await anext(third)).data)[1] == {"state": "queued", "place": 2}
        assert (await service.state(stream_of(start)))["state"] == "queued"
        assert len(await service.calls()) == 1

        await release(service)
        for events in (first, second, third):
            assert [event async for event in events][-1].data["done"] is True


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async with running(max_streams=1, max_queue=1, commit_after=0) as service, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(service.open(fault="gate@1"))
        response = await service.http.post("/api/generate", json={"prompt": "Hi"})

        assert response.status_code == 503
        assert response.json()["code"] == "overloaded"
        assert response.json()["retryable"] is True
        assert int(response.headers["retry-after"]) >= 1
        await release(service)


async def test_a_place_that_does_not_come_free_in_time_is_a_refusal() -> None:
    async with running(max_streams=1, queue_timeout=0.1) as service, service.open(fault="gate@1"):
        await call_of(service, state="waiting")
        response = await service.http.post("/api/generate/stream", json={"prompt": "Hi"})

        assert response.status_code == 503
        assert response.json()["code"] == "overloaded"
        assert int(response.headers["retry-after"]) >= 1


async def test_delete_ends_the_stream_upstream_and_for_every_reader() -> None:
    async with running() as service, service.open(fault="gate@3") as events:
        shown = [await anext(events) for _ in range(4)]
        stream_id = stream_of(shown[0])
        async with service.http.stream("GET", f"/api/streams/{stream_id}") as other:
            cancelled = await service.http.delete(f"/api/streams/{stream_id}")
            shown += [event async for event in events]
            seen = [event async for event in events_of(other)]

        assert seen == shown
        assert shown[-1].data["done"] is True
        assert shown[-1].data["stop_reason"] == "cancelled"
        assert shown[-1].data["raw_stop_reason"] is None
        assert shown[-1].data["usage"]["estimated"] is True
        assert shown[-1].data["usage"]["output_tokens"] > 0
        assert (await call_of(service, state="closed"))["client_left"] is True
        assert cancelled.status_code == 200
        assert cancelled.json()["state"] == "cancelled"
        assert cancelled.json()["text"] == text_of(shown)


@pytest.mark.parametrize("moment", ["gate", "gate@open", "gate@2", "http=429+retry-after=30"])
async def test_a_second_delete_answers_as_the_first(moment: str) -> None:
    async with running(commit_after=0) as service, service.open(fault=moment) as events:
        stream_id = stream_of(await anext(events))
        answers = [await service.http.delete(f"/api/streams/{stream_id}") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["state"] == "cancelled"
        assert [event async for event in events][-1].data["stop_reason"] == "cancelled"


@pytest.mark.asyncio(loop_scope="module")
async def test_delete_leaves_a_finished_stream_as_it_is(shared: Service) -> None:
    events = await shared.stream()

    answer = await shared.http.delete(f"/api/streams/{stream_of(events[0])}")

    assert answer.json()["state"] == "done"
    assert await shared.resume(f"{stream_of(events[0])}-0") == events


async def test_delete_reaches_a_generation_that_still_waits_for_its_place() -> None:
    async with running(max_streams=1, commit_after=0) as service, AsyncExitStack() as stack:
        await stack.enter_async_context(service.open(fault="gate@1"))
        await call_of(service, state="waiting")
        queued = await stack.enter_async_context(service.open())
        answer = await service.http.delete(f"/api/streams/{stream_of(await anext(queued))}")

        assert answer.json()["state"] == "cancelled"
        assert [event async for event in queued][-1].data["stop_reason"] == "cancelled"
        assert len(await service.calls()) == 1


async def test_delete_gives_the_one_who_waits_for_a_whole_answer_what_there_is() -> None:
    async with running() as service:
        waiting = asyncio.create_task(service.ask(fault="gate@2"))
        await call_of(service, state="waiting")
        await call_of(service, deltas=2)
        await eventually(lambda: text_has_come(service))
        await service.http.delete(f"/api/streams/{(await only_state(service))['stream_id']}")
        answer = await waiting

    assert answer["stop_reason"] == "cancelled"
    assert answer["text"]


async def test_purge_removes_what_is_stored() -> None:
    async with running() as service:
        events = await service.stream()
        address = f"/api/streams/{stream_of(events[0])}"
        purged = await service.http.delete(f"{address}?purge=true")

        assert purged.json()["text"] == text_of(events)
        for response in (await service.http.get(address), await service.http.delete(address)):
            assert response.status_code == 410
            assert response.json()["code"] == "gone"


async def test_purge_of_a_running_stream_lets_its_reader_see_the_end() -> None:
    async with running() as service, service.open(fault="gate@2") as events:
        stream_id = stream_of(await anext(events))
        await call_of(service, state="waiting")
        await service.http.delete(f"/api/streams/{stream_id}?purge=true")

        assert [event async for event in events][-1].data["stop_reason"] == "cancelled"
        assert (await service.http.get(f"/api/streams/{stream_id}")).status_code == 410


async def only_state(service: Service) -> Json:
    """The state of the one stream there is. Its id stands in the script of its first call."""
    calls = await eventually(service.calls)
    return await service.state(calls[0]["key"])


async def text_has_come(service: Service) -> str:
    text: str = (await only_state(service))["text"]
    return text
