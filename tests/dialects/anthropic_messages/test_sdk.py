"""What Anthropic's own Python client makes of the bytes, over a socket."""

import re
from typing import Any

import pytest
from anthropic import Anthropic, APIStatusError, AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st

from service.deltas import (
    Done,
    Event,
    Failed,
    Metrics,
    Status,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from service.dialects import anthropic_messages
from service.generation import ReasoningBlock, Text, ToolUse
from tests.dialects.answers import ANSWERS, EVERY_STOP, HEADING, START, batches, done, streams
from tests.dialects.served import Served, with_heartbeats, without_nulls
from tests.examples import examples

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def told(events: list[Event]) -> bytes:
    return anthropic_messages.MessagesEvents(HEADING).encode(1, events)


def plain(message: Any) -> Any:
    """Leave out the parsed copies that the accumulator adds."""
    value = without_nulls(message.to_dict())
    for block in value["content"]:
        block.pop("parsed_output", None)
    return value


def accumulated(url: str) -> Any:
    with Anthropic(base_url=url, api_key="k", max_retries=0) as client, client.messages.stream(**ASKED) as stream:
        return plain(stream.get_final_message())


async def accumulated_async(url: str) -> Any:
    async with (
        AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client,
        client.messages.stream(**ASKED) as stream,
    ):
        return plain(await stream.get_final_message())


def at_once(served: Served, events: list[Event]) -> Any:
    with Anthropic(base_url=served.json(anthropic_messages.whole(HEADING, None, events)), api_key="k") as client:
        return plain(client.messages.create(**ASKED))


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
async def test_the_accumulated_stream_equals_the_whole_answer(served: Served, events: list[Event]) -> None:
    expected = at_once(served, events)
    assert accumulated(served.stream(told(events))) == expected
    assert await accumulated_async(served.stream(told(events))) == expected


@pytest.mark.parametrize("events", EVERY_STOP.values(), ids=EVERY_STOP)
async def test_every_stop_reason_is_accumulated(served: Served, events: list[Event]) -> None:
    assert await accumulated_async(served.stream(told(events))) == at_once(served, events)


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
async def test_heartbeats_between_any_two_events_change_nothing(served: Served, events: list[Event]) -> None:
    beating = with_heartbeats(told(events), anthropic_messages.MessagesEvents.heartbeat)
    expected = at_once(served, events)
    assert accumulated(served.stream(beating)) == expected
    assert await accumulated_async(served.stream(beating)) == expected


@examples(20)
@given(data=st.data())
def test_any_stream_is_accumulated_to_the_whole_answer(served: Served, data: st.DataObject) -> None:
    events = data.draw(streams())
    encoder, first, body = anthropic_messages.MessagesEvents(HEADING), 1, b""
    for batch in data.draw(batches(events)):
        body += encoder.encode(first, batch)
        first += len(batch)
    assert accumulated(served.stream(body)) == at_once(served, events)


def groups(stream: bytes) -> list[tuple[int, list[bytes]]]:
    """Read a stream as the groups that end in an event with an id."""
    found: list[tuple[int, list[bytes]]] = []
    group: list[bytes] = []
    for block in stream.split(b"\n\n")[:-1]:
        group.append(re.sub(rb"^id: .*\n", b"", block))
        if block.startswith(b"id: 0a1b2c3d-"):
            found.append((int(block.partition(b"\n")[0].rpartition(b"-")[2]), group))
            group = []
    assert not group, "events after the last id"
    return found


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
def test_the_last_of_what_one_delta_makes_has_its_number(events: list[Event]) -> None:
    encoder = anthropic_messages.MessagesEvents(HEADING)
    for number, event in enumerate(events, 1):
        made = groups(encoder.encode(number, [event]))
        assert [n for n, _ in made] in ([], [number])


@examples(25)
@given(data=st.data())
def test_a_reader_cut_at_any_byte_loses_nothing_when_it_comes_back(data: st.DataObject) -> None:
    events = data.draw(streams())
    whole = told(events)
    seen = whole[: data.draw(st.integers(0, len(whole)))]
    complete = seen[: seen.rfind(b"\n\n") + 2] if b"\n\n" in seen else b""
    ids = re.findall(rb"^id: 0a1b2c3d-(\d+)$", complete, re.MULTILINE)
    last = int(ids[-1]) if ids else 0
    resumed = anthropic_messages.MessagesEvents(HEADING)
    resumed.encode(1, events[:last])
    rest = resumed.encode(last + 1, events[last:])
    assert [group for n, group in groups(whole) if n <= last] + [group for _, group in groups(rest)] == [
        group for _, group in groups(whole)
    ]


def test_the_usage_is_told_at_the_end_for_bedrock_tells_it_there(served: Served) -> None:
    with Anthropic(base_url=served.stream(told(ANSWERS["a text in pieces"])), api_key="k") as client:
        events = list(client.messages.create(**ASKED, stream=True))
    start, end = events[0].to_dict(), events[-2].to_dict()
    assert start["message"]["usage"]["input_tokens"] == 0
    assert end["usage"] == {
        "input_tokens": 12,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 100,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_numbers_that_nobody_reported_are_null_where_they_may_be() -> None:
    usage = anthropic_messages.whole(HEADING, None, [START, TextDelta(0, "Hi"), done(usage=Usage())])["usage"]
    assert usage == {
        "input_tokens": 0,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": None,
        "output_tokens": 0,
    }


def test_every_stop_reason_has_anthropics_word() -> None:
    words = {
        reason: anthropic_messages.whole(HEADING, None, events)["stop_reason"] for reason, events in EVERY_STOP.items()
    }
    assert words == {
        StopReason.END_TURN: "end_turn",
        StopReason.MAX_TOKENS: "max_tokens",
        StopReason.STOP_SEQUENCE: "stop_sequence",
        StopReason.TOOL_USE: "tool_use",
        StopReason.CONTENT_FILTERED: "refusal",
        StopReason.GUARDRAIL_INTERVENED: "refusal",
        StopReason.CONTEXT_WINDOW_EXCEEDED: "model_context_window_exceeded",
        StopReason.MALFORMED_OUTPUT: "end_turn",
        StopReason.CANCELLED: "end_turn",
        StopReason.OTHER: "end_turn",
    }


def test_the_stop_sequence_that_hit_is_named() -> None:
    message = anthropic_messages.whole(HEADING, None, EVERY_STOP[StopReason.STOP_SEQUENCE])
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("arguments", ["[1,2]", "no JSON"])
def test_a_call_whose_arguments_are_no_object_has_none(arguments: str) -> None:
    events: list[Event] = [START, ToolCallStart(0, "call_1", "act"), ToolCallDelta(0, arguments)]
    message = anthropic_messages.whole(HEADING, None, events)
    assert message["content"] == [{"type": "tool_use", "id": "call_1", "name": "act", "input": {}}]


def test_a_paused_turn_is_told_as_such() -> None:
    end = Done(StopReason.OTHER, "pause_turn", Usage(), Metrics())
    assert anthropic_messages.whole(HEADING, None, [START, end])["stop_reason"] == "pause_turn"


FAILED = Failed("upstream_truncated", "The model's answer broke off.", 502, retryable=True, partial=True)


def failing(url: str) -> tuple[str, APIStatusError]:
    text: list[str] = []
    with (
        Anthropic(base_url=url, api_key="k", max_retries=0) as client,
        pytest.raises(APIStatusError) as raised,
        client.messages.stream(**ASKED) as stream,
    ):
        text.extend(stream.text_stream)
    return "".join(text), raised.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("upstream_truncated", 502, "api_error"),
        ("upstream_unavailable", 503, "overloaded_error"),
        ("draining", 503, "overloaded_error"),
        ("throttled", 429, "rate_limit_error"),
        ("upstream_stalled", 504, "timeout_error"),
        ("validation", 400, "invalid_request_error"),
    ],
)
def test_a_failure_in_mid_stream_is_raised_after_the_text(served: Served, code: str, status: int, kind: str) -> None:
    end = Failed(code, "So it is.", status, retryable=True, partial=True)
    text, error = failing(served.stream(told([START, TextDelta(0, "So far"), end])))
    assert text == "So far"
    assert (error.api_message, error.type) == ("So it is.", kind)


def test_an_answer_that_begins_anew_after_its_first_text_is_an_error(served: Served) -> None:
    events: list[Event] = [START, TextDelta(0, "So far"), Status("restarted"), TextDelta(0, "Anew"), FAILED]
    text, error = failing(served.stream(told(events)))
    assert (text, error.type) == ("So far", "api_error")


def test_a_server_that_closes_says_so(served: Served) -> None:
    encoder = anthropic_messages.MessagesEvents(HEADING)
    body = encoder.encode(1, [START, TextDelta(0, "So far")]) + encoder.reconnect()
    text, error = failing(served.stream(body))
    assert (text, error.type) == ("So far", "overloaded_error")


def test_a_message_handed_back_brings_its_thinking_and_calls_with_it(served: Served) -> None:
    url = served.stream(told(ANSWERS["reasoning with its signature, a text and a call"]))
    with Anthropic(base_url=url, api_key="k") as client, client.messages.stream(**ASKED) as stream:
        content = [block.to_dict() for block in stream.get_final_message().content]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"}
    asked = ASKED | {
        "messages": [
            *ASKED["messages"],
            {"role": "assistant", "content": content},
            {"role": "user", "content": [result]},
        ]
    }
    assert anthropic_messages.parse(asked).request.messages[1].content == (
        ReasoningBlock(text="I should call the tool.", signature="EqoBCkgI"),
        Text("Let me look."),
        ToolUse("call_1", "get_weather", {"city": "Oslo"}),
    )
