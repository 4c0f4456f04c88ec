"""What OpenAI's own Python client makes of the bytes, over a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError, AsyncOpenAI, OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from service.deltas import Event, Failed, ReasoningDelta, Status, StopReason, TextDelta
from service.dialects import openai_chat
from service.dialects.openai_chat import ChatOptions
from service.generation import ReasoningBlock, Text, ToolUse
from tests.dialects.answers import ANSWERS, EVERY_STOP, HEADING, START, batches, streams
from tests.dialects.served import Served, with_heartbeats, without_nulls
from tests.examples import examples

WITH_USAGE = ChatOptions(include_usage=True)
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def told(events: list[Event], options: ChatOptions = WITH_USAGE) -> bytes:
    return openai_chat.ChatEvents(HEADING, options).encode(1, events)


def plain(completion: Any) -> Any:
    """Leave out what the accumulator adds: parsed copies, and the `index` by which it found a call."""
    value = without_nulls(completion.to_dict())
    for choice in value["choices"]:
        choice["message"].pop("parsed", None)
        for call in choice["message"].get("tool_calls", []):
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
    return value


def accumulated(url: str) -> Any:
    options: Any = {"include_usage": True}
    with (
        OpenAI(base_url=url, api_key="k", max_retries=0) as client,
        client.chat.completions.stream(**ASKED, stream_options=options) as stream,
    ):
        stream.until_done()  # `get_final_completion` would raise where the answer was cut by length or a filter
        return plain(stream.current_completion_snapshot)


async def accumulated_async(url: str) -> Any:
    async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        state = ChatCompletionStreamState[None]()
        async for chunk in await client.chat.completions.create(**ASKED, stream=True):
            state.handle_chunk(chunk)  # which the async helper does as well
        return plain(state.current_completion_snapshot)


def at_once(served: Served, events: list[Event]) -> Any:
    with OpenAI(base_url=served.json(openai_chat.whole(HEADING, WITH_USAGE, events)), api_key="k") as client:
        return plain(client.chat.completions.create(**ASKED))


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
    beating = with_heartbeats(told(events), openai_chat.ChatEvents.heartbeat)
    expected = at_once(served, events)
    assert accumulated(served.stream(beating)) == expected
    assert await accumulated_async(served.stream(beating)) == expected


@examples(20)
@given(data=st.data())
def test_any_stream_is_accumulated_to_the_whole_answer(served: Served, data: st.DataObject) -> None:
    events = data.draw(streams())
    encoder, first, body = openai_chat.ChatEvents(HEADING, WITH_USAGE), 1, b""
    for batch in data.draw(batches(events)):
        body += encoder.encode(first, batch)
        first += len(batch)
    assert accumulated(served.stream(body)) == at_once(served, events)


def test_without_include_usage_no_chunk_has_one(served: Served) -> None:
    stream = told(ANSWERS["a text in pieces"], ChatOptions())
    assert b"usage" not in stream
    with OpenAI(base_url=served.stream(stream), api_key="k") as client:
        chunks = list(client.chat.completions.create(**ASKED, stream=True))
    assert all(len(chunk.choices) == 1 for chunk in chunks)


def test_with_include_usage_every_chunk_names_it_and_the_last_has_it(served: Served) -> None:
    with OpenAI(base_url=served.stream(told(ANSWERS["a text in pieces"])), api_key="k") as client:
        chunks = list(client.chat.completions.create(**ASKED, stream=True))
    *others, last = [chunk.to_dict() for chunk in chunks]
    assert all(chunk["usage"] is None for chunk in others)
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 142,
        "completion_tokens": 7,
        "total_tokens": 149,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


FAILED = Failed("upstream_truncated", "The model's answer broke off.", 502, retryable=True, partial=True)


def failing(url: str) -> tuple[str, APIError]:
    chunks: list[Any] = []
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client, pytest.raises(APIError) as raised:
        chunks.extend(client.chat.completions.create(**ASKED, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks), raised.value


def test_a_failure_in_mid_stream_is_raised_after_the_text(served: Served) -> None:
    text, error = failing(served.stream(told([START, TextDelta(0, "So far"), FAILED])))
    assert text == "So far"
    assert (error.message, error.type, error.code) == (FAILED.message, "server_error", "upstream_truncated")


def test_an_answer_that_begins_anew_after_its_first_text_is_an_error(served: Served) -> None:
    events: list[Event] = [START, TextDelta(0, "So far"), Status("restarted"), TextDelta(0, "Anew"), FAILED]
    text, error = failing(served.stream(told(events)))
    assert text == "So far"
    assert error.code == "upstream_truncated"


def test_a_server_that_closes_says_so(served: Served) -> None:
    encoder = openai_chat.ChatEvents(HEADING)
    body = encoder.encode(1, [START, TextDelta(0, "So far")]) + encoder.reconnect()
    text, error = failing(served.stream(body))
    assert text == "So far"
    assert error.code == "draining"


def test_a_stream_that_has_ended_says_nothing_more() -> None:
    encoder = openai_chat.ChatEvents(HEADING)
    encoder.encode(1, ANSWERS["a text in pieces"])
    assert encoder.encode(9, [TextDelta(0, "more")]) == b""
    assert encoder.reconnect() == b""


def test_a_message_handed_back_brings_its_reasoning_and_calls_with_it(served: Served) -> None:
    url = served.stream(told(ANSWERS["reasoning with its signature, a text and a call"]))
    with OpenAI(base_url=url, api_key="k") as client, client.chat.completions.stream(**ASKED) as stream:
        message = stream.get_final_completion().choices[0].message.to_dict()
    asked = {"messages": [ASKED["messages"][0], message, {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}]}
    parsed = openai_chat.parse(asked).request
    assert parsed.messages[1].content == (
        ReasoningBlock(text="I should call the tool.", signature="EqoBCkgI"),
        Text("Let me look."),
        ToolUse("call_1", "get_weather", {"city": "Oslo"}),
    )


def test_every_stop_reason_has_a_finish_reason() -> None:
    finish = {
        reason: openai_chat.whole(HEADING, None, events)["choices"][0]["finish_reason"]
        for reason, events in EVERY_STOP.items()
    }
    assert finish == {
        StopReason.END_TURN: "stop",
        StopReason.MAX_TOKENS: "length",
        StopReason.STOP_SEQUENCE: "stop",
        StopReason.TOOL_USE: "tool_calls",
        StopReason.CONTENT_FILTERED: "content_filter",
        StopReason.GUARDRAIL_INTERVENED: "content_filter",
        StopReason.CONTEXT_WINDOW_EXCEEDED: "length",
        StopReason.MALFORMED_OUTPUT: "stop",
        StopReason.CANCELLED: "stop",
        StopReason.OTHER: "stop",
    }


def test_reasoning_is_told_beside_the_text(served: Served) -> None:
    events: list[Event] = [
        START,
        ReasoningDelta(0, text="Hm."),
        TextDelta(1, "Yes."),
        EVERY_STOP[StopReason.END_TURN][-1],
    ]
    with OpenAI(base_url=served.stream(told(events)), api_key="k") as client:
        deltas = [c.choices[0].delta for c in client.chat.completions.create(**ASKED, stream=True) if c.choices]
    assert [getattr(delta, "reasoning_content", None) for delta in deltas[:3]] == [None, "Hm.", None]
