"""Each event of the log as bytes, and each block of a request as values: what no stream of the tests brings along."""

import msgspec
import pytest

from service import generation
from service.deltas import (
    CitationDelta,
    Done,
    Event,
    Failed,
    GuardrailTrace,
    Metrics,
    Progress,
    ReasoningDelta,
    Start,
    Status,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Usage,
)
from service.dialects.dialect import Heading
from service.dialects.native.events import NativeEvents
from service.dialects.native.request import Generate, to_request

ID = "5f0c" * 8
ENCODED: dict[str, tuple[Event, bytes]] = {
    "the start": (
        Start(ID, "m", "converse", "local"),
        (
            b"retry: 1000\nid: %b-7\nevent: start\n"
            b'data: {"stream_id":"%b","model_id":"m","api":"converse","backend":"local"}'
        ),
    ),
    "text": (TextDelta(0, 'a"\n'), b'id: %b-7\ndata: {"text":"a\\"\\n"}'),
    "text of another block": (TextDelta(3, "b"), b'id: %b-7\ndata: {"text":"b"}'),
    "reasoning": (ReasoningDelta(0, text="hm"), b'id: %b-7\nevent: reasoning\ndata: {"text":"hm"}'),
    "a signature": (ReasoningDelta(0, signature="s="), b'id: %b-7\nevent: reasoning\ndata: {"signature":"s="}'),
    "redacted": (ReasoningDelta(0, redacted="cg=="), b'id: %b-7\nevent: reasoning\ndata: {"redacted":"cg=="}'),
    "a call": (ToolCallStart(1, "i", "f"), b'id: %b-7\nevent: tool_call\ndata: {"index":1,"id":"i","name":"f"}'),
    "a call that Bedrock runs": (
        ToolCallStart(1, "i", "f", server=True),
        b'id: %b-7\nevent: tool_call\ndata: {"index":1,"id":"i","name":"f","server":true}',
    ),
    "arguments": (ToolCallDelta(1, '{"a"'), b'id: %b-7\nevent: tool_call\ndata: {"index":1,"arguments":"{\\"a\\""}'),
    "what Bedrock's tool answered": (
        ToolResultDelta(2, "i", [{"text": "42"}]),
        b'id: %b-7\nevent: tool_result\ndata: {"index":2,"tool_use_id":"i","content":[{"text":"42"}],"is_error":false}',
    ),
    "a citation": (CitationDelta(0, {"title": "T"}), b'id: %b-7\nevent: citation\ndata: {"title":"T"}'),
    "a guardrail's trace": (GuardrailTrace({"a": 1}), b'id: %b-7\nevent: guardrail\ndata: {"a":1}'),
    "progress": (
        Progress(0.04, 20, 41.2, 39.8, is_slow=False, message="", estimated=True),
        (
            b'id: %b-7\nevent: progress\ndata: {"progress":0.04,"output_tokens":20,"tokens_per_second":41.2,'
            b'"instantaneous_rate":39.8,"is_slow":false,"message":"","estimated":true}'
        ),
    ),
    "a status": (
        Status("fallback", model_id="n"),
        b'id: %b-7\nevent: status\ndata: {"state":"fallback","model_id":"n"}',
    ),
    "the end": (
        Done(StopReason.OTHER, None, Usage(output_tokens=3), Metrics(latency=1.5, attempts=1)),
        (
            b'id: %b-7\ndata: {"done":true,"stop_reason":"other","raw_stop_reason":null,"usage":{"input_tokens":null,'
            b'"output_tokens":3,"cache_read_tokens":null,"cache_write_tokens":null,"total_tokens":null,"estimated":false},'
            b'"metrics":{"time_to_first_token":null,"latency":1.5,"gateway_time":null,"attempts":1,"region":null,'
            b'"model_id":null}}'
        ),
    ),
    "a failure": (
        Failed("throttled", "Busy.", 429, retryable=True, partial=False),
        (
            b'id: %b-7\ndata: {"error":"Busy.","code":"throttled","status":429,"retryable":true,"partial":false,'
            b'"stream_id":"%b"}'
        ),
    ),
}


@pytest.mark.parametrize(("event", "encoded"), ENCODED.values(), ids=ENCODED)
def test_an_event_is_these_bytes(event: Event, encoded: bytes) -> None:
    expected = encoded.replace(b"%b", ID.encode()) + b"\n\n"

    assert NativeEvents(Heading(ID, "m", 0)).encode(7, [event]) == expected


def test_a_batch_is_its_events_one_after_the_other_with_their_numbers() -> None:
    events = [event for event, _ in ENCODED.values()]
    encoder = NativeEvents(Heading(ID, "m", 0))

    one_by_one = b"".join(encoder.encode(n, [event]) for n, event in enumerate(events, 1))
    assert encoder.encode(1, events) == one_by_one


def test_the_word_for_a_server_that_goes_has_no_id_and_its_data() -> None:
    assert NativeEvents(Heading(ID, "m", 0)).reconnect() == b"retry: 1000\nevent: reconnect\ndata: {}\n\n"


BLOCKS = {
    "text": ({"type": "text", "text": "a"}, generation.Text("a")),
    "an answer's text with its citations": (
        {"type": "text", "text": "a", "citations": [{"title": "T"}]},
        generation.Text("a"),
    ),
    "an image": (
        {"type": "image", "media_type": "image/png", "data": "iVBORw0KGgo="},
        generation.Image("image/png", "iVBORw0KGgo="),
    ),
    "a document": (
        {"type": "document", "media_type": "application/pdf", "data": "YQ==", "name": "Report"},
        generation.Document("application/pdf", "YQ==", "Report"),
    ),
    "a call": (
        {"type": "tool_use", "id": "i", "name": "f", "input": {"a": 1}},
        generation.ToolUse("i", "f", {"a": 1}),
    ),
    "a result in words": (
        {"type": "tool_result", "tool_use_id": "i", "content": "42"},
        generation.ToolResult("i", (generation.Text("42"),)),
    ),
    "a result of nothing": ({"type": "tool_result", "tool_use_id": "i"}, generation.ToolResult("i")),
    "a result in blocks that failed": (
        {"type": "tool_result", "tool_use_id": "i", "content": [{"type": "text", "text": "no"}], "is_error": True},
        generation.ToolResult("i", (generation.Text("no"),), is_error=True),
    ),
    "reasoning": (
        {"type": "reasoning", "text": "hm", "signature": "s"},
        generation.ReasoningBlock("hm", "s"),
    ),
    "redacted reasoning": ({"type": "reasoning", "redacted": "cg=="}, generation.ReasoningBlock(redacted="cg==")),
    "a cache point": ({"type": "cache_point", "ttl": "1h"}, generation.CachePoint("1h")),
}


@pytest.mark.parametrize(("block", "value"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_of_a_request_is_this_value(block: dict[str, object], value: generation.Block) -> None:
    body = Generate.model_validate({"messages": [{"role": "user", "content": [block]}]})

    assert body.turns() == (generation.Message("user", (value,)),)


PARAMETERS = {
    "nothing": ({}, {}),
    "the sampling": (
        {"temperature": 0.0, "top_p": 0.9, "top_k": 3, "max_tokens": 7, "stop_sequences": ["x"]},
        {"temperature": 0.0, "top_p": 0.9, "top_k": 3, "max_tokens": 7, "stop_sequences": ("x",)},
    ),
    "a system prompt": ({"system": "s"}, {"system": (generation.Text("s"),)}),
    "an effort, whose budget comes on top": (
        {"reasoning": {"effort": "low"}},
        {"reasoning": generation.Reasoning(effort="low"), "max_tokens": 500 + 1024},
    ),
    "a choice by word": ({"tool_choice": "none"}, {"tool_choice": generation.ToolChoice("none")}),
    "a guardrail that is traced": (
        {"guardrail": {"id": "g", "version": "DRAFT", "trace": True, "stream_mode": "async"}},
        {"guardrail": generation.Guardrail("g", "DRAFT", "enabled", "async")},
    ),
    "a guardrail that is traced in full": (
        {"guardrail": {"id": "g", "version": "1", "trace": "enabled_full"}},
        {"guardrail": generation.Guardrail("g", "1", "enabled_full")},
    ),
    "the rest": (
        {"model_id": "n", "api": "invoke", "metadata": {"a": "b"}, "extra": {"k": [1]}},
        {"model_id": "n", "api": "invoke", "metadata": {"a": "b"}, "extra": {"k": [1]}},
    ),
}


@pytest.mark.parametrize(("given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_these_values(given: dict[str, object], expected: dict[str, object]) -> None:
    body = Generate.model_validate({"prompt": "Hi"} | given)
    request = to_request(body, body.turns(), default_model_id="m", default_api="auto")

    plain = generation.Request("m", body.turns(), max_tokens=500)
    assert request == msgspec.structs.replace(plain, **expected)


def test_a_tool_that_must_be_called_is_named() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}}
    body = Generate.model_validate({"prompt": "Hi", "tools": [tool], "tool_choice": {"name": "f"}})
    request = to_request(body, body.turns(), default_model_id="m", default_api="auto")

    assert request.tools == (generation.Tool("f", {"type": "object"}),)
    assert request.tool_choice == generation.ToolChoice("tool", "f")
