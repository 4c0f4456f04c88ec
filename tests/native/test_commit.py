"""When the status line of a stream goes out: with Bedrock's first word, or after `COMMIT_AFTER`."""

import asyncio

import pytest

from tests.harness import running, text_of
from tests.native.gates import call_of, release
from tests.native.raw import read_raw
from tests.waiting import patience

NEVER = 60


async def test_a_refusal_that_comes_quickly_is_an_http_error() -> None:
    async with running(max_retries=0) as service:
        raw = await read_raw(service, fault="throttle")

    assert raw.status == 429
    assert raw.headers["content-type"] == "application/problem+json"


async def test_a_refusal_after_the_status_line_is_the_last_event() -> None:
    async with running(max_retries=0, commit_after=0) as service, service.open(fault="gate+throttle") as events:
        shown = [await anext(events)]
        await call_of(service, state="waiting")
        await release(service)
        shown += [event async for event in events]

    assert [event.name for event in shown] == ["start", "message"]
    assert shown[-1].data["code"] == "throttled"
    assert shown[-1].data["status"] == 429
    assert shown[-1].data["partial"] is False


async def test_while_bedrock_is_silent_the_start_event_leaves_with_the_status_line() -> None:
    async with running(commit_after=0.05) as service, service.open(fault="gate") as events:
        start = await anext(events)

        assert start.name == "start"
        assert (await call_of(service, state="waiting"))["status"] is None
        await release(service)
        assert text_of([event async for event in events])


async def test_bedrocks_first_word_sends_the_status_line_before_there_is_text() -> None:
    async with running(commit_after=NEVER) as service, service.open(fault="gate@open") as events:
        async with patience():
            start = await anext(events)

        assert (await call_of(service, state="waiting"))["deltas"] == 0
        assert start.name == "start"


async def test_until_bedrocks_first_word_the_status_line_is_held_back() -> None:
    async with running(commit_after=NEVER) as service:
        sending = asyncio.create_task(read_raw(service, fault="gate"))
        await call_of(service, state="waiting")
        assert not sending.done()
        await release(service)

        assert (await sending).status == 200


async def test_a_failure_after_the_first_word_and_before_text_is_tried_again_unseen() -> None:
    async with running(commit_after=NEVER) as service:
        events = await service.stream(fault="cut@open")

    assert [event.name for event in events][:3] == ["start", "status", "message"]
    assert events[1].data["state"] == "retrying"
    assert "error" not in events[-1].data
    assert events[-1].data["metrics"]["attempts"] == 2


async def test_what_was_said_while_the_status_line_was_held_back_leaves_with_it() -> None:
    async with running(commit_after=NEVER) as service:
        events = await service.stream(fault="throttle*2")

    assert [event.name for event in events][:4] == ["start", "status", "status", "message"]
    assert [event.data["attempt"] for event in events[1:3]] == [2, 3]
    assert text_of(events)


async def test_a_wait_is_announced_before_it_begins() -> None:
    async with running(commit_after=0) as service, service.open(fault="http=429+retry-after=30") as events:
        assert (await anext(events)).name == "start"
        async with patience():
            status = await anext(events)

    assert status.data["state"] == "retrying"
    assert status.data["delay"] >= 30


@pytest.mark.parametrize("fault", ["exception=throttlingException", "error-frame=ThrottlingException", "empty", "html"])
async def test_a_refusal_as_the_first_frame_of_a_200_is_still_an_http_error(fault: str) -> None:
    async with running(max_retries=0, commit_after=NEVER) as service:
        raw = await read_raw(service, fault=fault)

    assert raw.status in {429, 502}
    assert raw.headers["content-type"] == "application/problem+json"
