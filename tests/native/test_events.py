"""The native event stream, byte by byte (docs/reference.md, "The native event stream")."""

import json
import re

import pytest

from tests.harness import CLAUDE, Event, Service, text_of
from tests.native.raw import read_raw

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def test_the_first_block_is_the_start_event_and_holds_the_retry(shared: Service) -> None:
    raw = await read_raw(shared)

    first = raw.body.split(b"\n\n")[0].decode()
    stream_id = raw.headers["x-stream-id"]
    assert first == (
        f"retry: 1000\nid: {stream_id}-1\nevent: start\n"
        f'data: {{"stream_id":"{stream_id}","model_id":"{CLAUDE}","api":"converse","backend":"local"}}'
    )


async def test_text_and_the_end_are_unnamed_and_exactly_as_promised(shared: Service) -> None:
    raw = await read_raw(shared)

    blocks = raw.body.decode().split("\n\n")[1:-1]
    stream_id = raw.headers["x-stream-id"]
    for n, block in enumerate(blocks[:-1], 2):
        assert re.fullmatch(rf'id: {stream_id}-{n}\ndata: {{"text":"[^"]+"}}', block)
    assert re.fullmatch(
        rf'id: {stream_id}-{len(blocks) + 1}\ndata: {{"done":true,"stop_reason":"end_turn",'
        r'"raw_stop_reason":"end_turn","usage":{[^}]+},"metrics":{[^}]+}}',
        blocks[-1],
    )


async def test_every_block_has_data_of_one_line_that_is_json(shared: Service) -> None:
    raw = await read_raw(shared, fault="throttle,cut@2", prompt="Tell me of rain\r\nand\nof snow")

    assert len(raw.blocks) > 4
    for block in raw.blocks:
        json.loads(block["data"])


async def test_ids_count_from_one_without_a_gap_whatever_happens_on_the_way(shared: Service) -> None:
    events = await shared.stream(fault="throttle,cut@2,crc@1", prompt="Why does it rain?")

    assert {event.name for event in events} >= {"start", "status", "message"}
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert len({event.id.rpartition("-")[0] for event in events}) == 1


@pytest.mark.parametrize(
    ("fault", "on_interruption"),
    [
        (None, "continue"),
        ("cut@2", "continue"),
        ("cut@2", "restart"),
        ("cut@2", "fail"),
        ("no-stop", "fail"),
        ("no-metadata", "fail"),
        ("exception=throttlingException@3", "fail"),
        ("unknown-event+unknown-delta", "fail"),
    ],
)
async def test_a_stream_has_exactly_one_last_event(shared: Service, fault: str | None, on_interruption: str) -> None:
    events = await shared.stream(fault=fault, on_interruption=on_interruption)

    assert [event for event in events if is_end(event)] == events[-1:]


async def test_the_headers_keep_caches_and_proxies_from_collecting_the_stream(shared: Service) -> None:
    raw = await read_raw(shared)

    assert raw.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert raw.headers["cache-control"] == "no-cache"
    assert raw.headers["x-accel-buffering"] == "no"
    assert raw.headers["x-artesian-backend"] == "local"
    assert re.fullmatch("[0-9a-f]{32}", raw.headers["x-stream-id"])
    assert raw.headers["x-request-id"]


async def test_a_request_id_comes_back_as_it_was_given(shared: Service) -> None:
    streamed = await read_raw(shared, headers={"X-Request-Id": "req-7"})
    whole = await shared.http.post("/api/generate", json={"prompt": "Hi"}, headers={"X-Request-Id": "req-8"})
    refused = await shared.http.post("/api/generate", json={}, headers={"X-Request-Id": "req-9"})

    assert streamed.headers["x-request-id"] == "req-7"
    assert whole.headers["x-request-id"] == "req-8"
    assert refused.headers["x-request-id"] == refused.json()["request_id"] == "req-9"


@pytest.mark.parametrize("unfit", ["", "with a space", "x" * 129, "né"])
async def test_a_request_id_that_could_disturb_a_log_is_replaced(shared: Service, unfit: str) -> None:
    answer = await shared.http.get("/healthz", headers={b"X-Request-Id": unfit.encode()})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("api", ["converse", "invoke"])
async def test_a_tool_call_comes_in_pieces_that_join_to_its_arguments(shared: Service, api: str) -> None:
    events = await shared.stream(prompt="The weather in Oslo?", tools=[WEATHER], api=api)

    calls = [event.data for event in events if event.name == "tool_call"]
    assert set(calls[0]) == {"index", "id", "name"}
    assert calls[0]["name"] == "get_weather"
    assert {tuple(sorted(call)) for call in calls[1:]} == {("arguments", "index")}
    assert {call["index"] for call in calls} == {calls[0]["index"]}
    assert json.loads("".join(call["arguments"] for call in calls[1:])) == {"city": "Oslo"}
    assert events[-1].data["stop_reason"] == "tool_use"


async def test_reasoning_is_named_so_that_it_does_not_get_into_the_text(shared: Service) -> None:
    events = await shared.stream(prompt="Why does it rain?", reasoning={"effort": "low"})

    reasoning = [event.data for event in events if event.name == "reasoning"]
    assert {tuple(said) for said in reasoning} == {("text",), ("signature",)}
    assert "".join(said.get("text", "") for said in reasoning) not in text_of(events)
    assert text_of(events)


async def test_a_guardrails_trace_is_an_event_of_its_own(shared: Service) -> None:
    guardrail = {"id": "gr1", "version": "1", "trace": True}
    events = await shared.stream(prompt="Tell me the forbidden thing.", guardrail=guardrail)

    (trace,) = [event.data for event in events if event.name == "guardrail"]
    assert "inputAssessment" in trace
    assert events[-1].data["stop_reason"] == "guardrail_intervened"


async def test_a_model_that_reaches_its_limit_says_so_in_both_words(shared: Service) -> None:
    events = await shared.stream(prompt="Why does it rain?", max_tokens=5)

    assert events[-1].data["stop_reason"] == "max_tokens"
    assert events[-1].data["raw_stop_reason"] == "max_tokens"
    assert events[-1].data["usage"]["output_tokens"] == 5


async def test_a_stop_word_that_nobody_has_met_is_passed_on(shared: Service) -> None:
    events = await shared.stream(fault="stop-reason=bored")

    assert events[-1].data["stop_reason"] == "other"
    assert events[-1].data["raw_stop_reason"] == "bored"


async def test_a_stream_without_its_metadata_is_a_success_without_usage(shared: Service) -> None:
    events = await shared.stream(fault="no-metadata")

    usage = events[-1].data["usage"]
    assert events[-1].data["stop_reason"] == "end_turn"
    assert {usage[name] for name in usage if name != "estimated"} == {None}
    assert usage["estimated"] is False


async def test_the_end_tells_what_it_cost_in_tokens_and_in_time(shared: Service) -> None:
    end = (await shared.stream())[-1].data

    assert set(end["usage"]) == {
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "total_tokens",
        "estimated",
    }
    assert end["usage"]["input_tokens"] + end["usage"]["output_tokens"] == end["usage"]["total_tokens"]
    metrics = end["metrics"]
    assert 0 < metrics["time_to_first_token"] <= metrics["latency"] < 5
    assert 0 <= metrics["gateway_time"] <= metrics["latency"]
    assert metrics["bedrock_latency_ms"] > 0
    assert metrics["attempts"] == 1
    assert metrics["region"] == "us-east-1"


async def test_a_frame_in_odd_pieces_makes_the_same_events(shared: Service) -> None:
    plain = await shared.stream(prompt="Why does it rain?")
    split = await shared.stream(prompt="Why does it rain?", fault="split")

    assert [event.data for event in split[1:-1]] == [event.data for event in plain[1:-1]]


def is_end(event: Event) -> bool:
    return event.name == "message" and ("done" in event.data or "error" in event.data)
