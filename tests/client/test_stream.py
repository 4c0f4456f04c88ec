"""Streams of the asynchronous client, against the service."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from artesian import (
    Artesian,
    ArtesianError,
    AsyncArtesian,
    Connection,
    Done,
    Event,
    Progress,
    Start,
    Status,
    Text,
    Unreachable,
    calls,
)
from artesian.cursor import Cursor
from tests.harness import CLAUDE, Json, Service, fault_header, running
from tests.native.gates import call_of, release
from tests.waiting import PATIENCE_S, eventually

WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture
async def artesian(service: Service) -> AsyncIterator[AsyncArtesian]:
    async with AsyncArtesian(service.url, backoff_s=[0, 0, 0]) as client:
        yield client


def faulty(service: Service, fault: str) -> AsyncArtesian:
    """A client whose requests carry a fault for the local Bedrock."""
    return AsyncArtesian(service.url, headers=fault_header(fault), backoff_s=[0])


async def test_events_have_types_and_their_texts_add_up(artesian: AsyncArtesian) -> None:
    async with artesian.stream("Hi", max_tokens=20) as stream:
        events = [event async for event in stream]

    assert isinstance(events[0], Start)
    assert events[0].stream_id == stream.stream_id
    assert isinstance(events[-1], Done)
    assert events[-1].usage.output_tokens
    assert "".join(event.text for event in events if isinstance(event, Text)) == stream.text != ""
    assert stream.after == len(events)


async def test_texts_can_be_read_without_other_events(service: Service, artesian: AsyncArtesian) -> None:
    async with artesian.stream("Hi") as stream:
        texts = [text async for text in stream.texts()]

    assert "".join(texts) == stream.text != ""
    assert stream.content == [{"type": "text", "text": stream.text}]
    assert artesian.url == service.url


async def test_a_whole_answer_is_the_services_whole_answer(service: Service, artesian: AsyncArtesian) -> None:
    whole = await service.ask(prompt="Hi")

    answer = await artesian.generate("Hi")

    assert unmeasured(answer.raw) == unmeasured(whole)
    assert answer.raw.keys() == whole.keys()
    assert answer.raw["metrics"].keys() == whole["metrics"].keys()
    assert answer.text == whole["text"]
    assert answer.usage.output_tokens == whole["usage"]["output_tokens"]
    assert (answer.model_id, answer.stop_reason, answer.latency) == (CLAUDE, "end_turn", answer.metrics.latency)


def unmeasured(answer: Json) -> Json:
    """Return the members that are the same in every run."""
    return {name: value for name, value in answer.items() if name not in {"latency", "metrics", "stream_id"}}


@pytest.mark.parametrize(
    "parameters",
    [
        {"prompt": "What is the weather in Oslo?", "tools": [WEATHER], "tool_choice": "any"},
        {"prompt": "Think it over.", "reasoning": {"budget_tokens": 1024}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "system": "Be brief."},
        {"prompt": "Hi", "model_id": "amazon.titan-text-lite-v1"},
    ],
    ids=["a call of a tool", "reasoning", "messages", "another family"],
)
async def test_the_blocks_are_those_of_the_service(artesian: AsyncArtesian, parameters: Json) -> None:
    answer = await artesian.generate(**parameters)

    assert answer.content == (await artesian.state(answer.stream_id)).content != []


async def test_leaving_the_block_closes_the_upstream(service: Service) -> None:
    async with faulty(service, "gate@2") as artesian, artesian.stream("Hi") as stream:
        async for event in stream:
            if isinstance(event, Text):
                break

    assert (await call_of(service, state="closed"))["client_left"]
    assert (await service.state(stream.stream_id))["state"] == "cancelled"


async def test_an_error_in_the_block_closes_the_upstream_too(service: Service) -> None:
    with pytest.raises(ZeroDivisionError):
        async with faulty(service, "gate@2") as artesian, artesian.stream("Hi"):
            raise ZeroDivisionError

    assert (await call_of(service, state="closed"))["client_left"]


async def test_a_task_that_is_cancelled_closes_the_upstream(service: Service) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with faulty(service, "gate@2") as artesian, artesian.stream("Hi") as stream:
            async for event in stream:
                if isinstance(event, Text):
                    begun.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), PATIENCE_S)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert (await call_of(service, state="closed"))["client_left"]


async def test_a_task_cancelled_before_a_response_disconnects() -> None:
    async with running(resume_grace=0.01) as service, faulty(service, "gate") as artesian:
        asking = asyncio.create_task(artesian.generate("Hi"))
        await call_of(service, state="waiting")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert (await call_of(service, state="closed"))["client_left"]


async def test_a_detached_stream_continues_and_can_be_attached_to(service: Service) -> None:
    async with faulty(service, "gate@2") as artesian:
        async with artesian.stream("Hi") as stream:
            async for event in stream:
                if isinstance(event, Text):
                    stream_id, after, first = stream.detach(), stream.after, stream.text
                    break
        await release(service)
        async with artesian.attach(stream_id, after=after) as rest:
            events = [event async for event in rest]

    assert isinstance(events[-1], Done)
    assert first + rest.text == (await service.state(stream_id))["text"]
    assert len(await service.calls()) == 1


async def test_leaving_an_attached_stream_cancels_nothing(service: Service) -> None:
    async with faulty(service, "gate@2") as artesian, artesian.stream("Hi") as stream:
        async with artesian.attach(stream.stream_id) as other:
            await anext(other)
        await release(service)
        events = [event async for event in stream]

    assert isinstance(events[-1], Done)
    assert events[-1].stop_reason == "end_turn"


async def test_attaching_after_the_last_event_reads_nothing(artesian: AsyncArtesian) -> None:
    async with artesian.stream("Hi") as stream:
        await stream.answer()
    async with artesian.attach(stream.stream_id, after=stream.after) as again:
        assert [event async for event in again] == []
        with pytest.raises(ArtesianError, match="no answer in it"):
            await again.answer()


@pytest.mark.parametrize("by", ["stream", "client"])
async def test_a_cancelled_stream_ends_with_its_stop_reason(service: Service, by: str) -> None:
    async with faulty(service, "gate@2") as artesian, artesian.stream("Hi") as stream:
        snapshot = await (stream.cancel() if by == "stream" else artesian.cancel(stream.stream_id))
        events = [event async for event in stream]

    assert snapshot.state == "cancelled"
    assert isinstance(events[-1], Done)
    assert events[-1].stop_reason == "cancelled"


async def test_a_failure_is_raised_after_all_received_text(service: Service) -> None:
    said: list[Event] = []
    async with faulty(service, "exception=validationException@3") as artesian:
        with pytest.raises(ArtesianError) as failed:
            async with artesian.stream("Hi", on_interruption="fail") as stream:
                said += [event async for event in stream]

    assert failed.value.code == "validation"
    assert failed.value.partial
    assert failed.value.text == stream.text != ""
    assert failed.value.stream_id == stream.stream_id
    assert failed.value.request_id


async def test_an_invalid_request_is_refused_with_its_field(artesian: AsyncArtesian) -> None:
    with pytest.raises(ArtesianError) as refused:
        async with artesian.stream("Hi", temperature=7):
            pytest.fail("there is no stream")

    error = refused.value
    assert (error.code, error.status, error.retryable, error.partial) == ("validation", 422, False, False)
    assert [name for name, _ in error.fields] == ["temperature"]
    assert error.request_id
    assert "temperature" in str(error)


async def test_a_rejection_by_bedrock_is_raised_with_its_code(service: Service) -> None:
    async with faulty(service, "throttle*") as artesian:
        with pytest.raises(ArtesianError) as refused:
            await artesian.generate("Hi")

    assert (refused.value.code, refused.value.status, refused.value.retryable) == ("throttled", 429, True)


async def test_retries_of_the_service_are_events(service: Service) -> None:
    async with faulty(service, "throttle,ok") as artesian, artesian.stream("Hi") as stream:
        events = [event async for event in stream]

    assert "retrying" in [event.state for event in events if isinstance(event, Status)]
    assert isinstance(events[-1], Done)
    assert events[-1].metrics.attempts == 2


async def test_restarted_clears_the_text(service: Service) -> None:
    whole = await service.ask(prompt="Hi")
    async with faulty(service, "cut@3,ok") as artesian, artesian.stream("Hi", on_interruption="restart") as stream:
        events = [event async for event in stream]

    assert "restarted" in [event.state for event in events if isinstance(event, Status)]
    assert stream.text == whole["text"]


async def test_an_unknown_stream_is_gone(artesian: AsyncArtesian) -> None:
    with pytest.raises(ArtesianError) as gone:
        async with artesian.attach("0123456789abcdef" * 2):
            pytest.fail("there is no stream")
    assert (gone.value.code, gone.value.status) == ("gone", 410)


async def test_a_slow_answer_has_progress_events() -> None:
    async with running(local_rate=12) as service:
        artesian = AsyncArtesian(service.url)
        async with artesian, artesian.stream("Tell me a long tale", max_tokens=400) as stream:
            progress = await anext(event async for event in stream if isinstance(event, Progress))

    assert 0 < progress.progress < 1
    assert progress.tokens_per_second > 0


async def test_without_a_service_it_fails_at_once() -> None:
    async with AsyncArtesian("http://127.0.0.1:1") as client:
        for request in (client.generate("Hi"), client.models()):
            with pytest.raises(Unreachable, match=r"No Artesian service can be reached at http://127\.0\.0\.1:1"):
                await request


async def test_models_are_listed(artesian: AsyncArtesian) -> None:
    models = await artesian.models()

    (default,) = [model for model in models if model.id == models.default]
    assert default.id == CLAUDE
    assert default.capabilities["streaming"]
    assert len(models) > 20


async def test_a_given_httpx_client_is_used_and_left_open(service: Service) -> None:
    async with AsyncArtesian(service.url, http=service.http) as artesian:
        await artesian.generate("Hi")

    assert not service.http.is_closed


async def test_the_synchronous_client_reads_the_same(service: Service) -> None:
    events, text, whole = await asyncio.to_thread(read_all, service.url)

    assert isinstance(events[0], Start)
    assert isinstance(events[-1], Done)
    assert text == whole == (await service.ask())["text"]


def read_all(url: str) -> tuple[list[Event], str, str]:
    """Read with the synchronous client."""
    with Artesian(url) as artesian:
        assert artesian.url == url
        with artesian.stream("Hi") as stream:
            events = list(stream)
        with artesian.attach(stream.stream_id) as again:
            assert list(again) == events
            assert again.cancel().state == "done"
        assert artesian.state(stream.stream_id).text == stream.text
        assert artesian.cancel(stream.stream_id).state == "done"
        assert len(artesian.models()) > 20
        return events, stream.text, artesian.generate("Hi").text


async def test_leaving_a_synchronous_stream_closes_the_upstream(service: Service) -> None:
    def leave() -> None:
        with Artesian(service.url, headers=fault_header("gate@2")) as artesian, artesian.stream("Hi") as stream:
            next(stream.texts())

    await asyncio.to_thread(leave)

    assert (await call_of(service, state="closed"))["client_left"]


async def test_the_synchronous_client_raises_the_same_errors(service: Service) -> None:
    def ask(prompt: str, url: str) -> ArtesianError:
        with Artesian(url) as artesian, pytest.raises(ArtesianError) as refused:
            artesian.generate(prompt)
        return refused.value

    assert (await asyncio.to_thread(ask, "", service.url)).code == "validation"
    assert (await asyncio.to_thread(ask, "Hi", "http://127.0.0.1:1")).code == "unreachable"


async def test_no_connection_or_task_is_left_open(service: Service, artesian: AsyncArtesian) -> None:
    await artesian.generate("Hi")

    async def idle() -> bool:
        return bool((await service.http.get("/readyz")).json()["streams"] == 0)

    assert await eventually(idle)


async def test_an_unbroken_stream_has_no_connection_events(artesian: AsyncArtesian) -> None:
    async with artesian.stream("Hi") as stream:
        assert not [event async for event in stream if isinstance(event, Connection)]


class Interrupting(httpx.BaseTransport):
    """A transport during whose requests Ctrl-C is pressed."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        raise KeyboardInterrupt


def test_ctrl_c_during_a_request_is_not_a_connection_error() -> None:
    with httpx.Client(transport=Interrupting()) as http:
        with Artesian("http://127.0.0.1:1", http=http) as artesian, pytest.raises(KeyboardInterrupt):
            artesian.generate("Hi")
        assert not http.is_closed


async def test_a_stream_with_an_endless_event_fails() -> None:
    cursor = Cursor(calls.Service("http://127.0.0.1:1", None, {}, 1.0))
    cursor.feed(b"data: " + b"x" * (1 << 26))

    with pytest.raises(ArtesianError, match="an event has no end"):
        cursor.take()
