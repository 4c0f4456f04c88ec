"""What Converse's events say beyond the recorded sequences."""

from typing import Any

import pytest

from service.bedrock.wires.families import wire_of
from service.deltas import (
    CitationDelta,
    Delta,
    GuardrailTrace,
    Opened,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    Timing,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Unknown,
    Usage,
)
from service.errors import UpstreamError
from tests.families.wire import EXAMPLES, asked, decoded, target_of

REQUEST = asked(EXAMPLES["claude_messages"], "converse")
END = {"messageStop": {"stopReason": "end_turn", "p": "abc"}}
ENDED = Stop(StopReason.END_TURN, "end_turn")


def start(index: int, **members: Any) -> dict[str, Any]:
    """A block's start."""
    return {"contentBlockStart": {"contentBlockIndex": index, "start": members, "p": "ab"}}


def delta(index: int, **members: Any) -> dict[str, Any]:
    """A piece of a block."""
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": members, "p": "abcd"}}


def stop(index: int) -> dict[str, Any]:
    """A block's end."""
    return {"contentBlockStop": {"contentBlockIndex": index, "p": "a"}}


CASES: dict[str, tuple[list[Any], list[Delta]]] = {
    "empty pieces open no block, and skipped indexes leave no gap": (
        [
            delta(0, text=""),
            stop(0),
            delta(3, reasoningContent={"text": ""}),
            delta(3, text="a"),
            delta(7, text="b"),
            END,
        ],
        [TextDelta(0, "a"), TextDelta(1, "b"), ENDED],
    ),
    "each piece of redacted reasoning is a block of its own": (
        [
            delta(0, reasoningContent={"redactedContent": "QQ=="}),
            delta(1, reasoningContent={"redactedContent": "Qg=="}),
            END,
        ],
        [ReasoningDelta(0, redacted="QQ=="), ReasoningDelta(1, redacted="Qg=="), ENDED],
    ),
    "a citation comes before its text, in the same block": (
        [delta(0, text="So: "), stop(0), delta(1, citation={"title": "T"}), delta(1, text="rain."), END],
        [TextDelta(0, "So: "), CitationDelta(1, {"title": "T"}), TextDelta(1, "rain."), ENDED],
    ),
    "a tool without arguments has none": (
        [start(0, toolUse={"toolUseId": "u", "name": "now"}), delta(0, toolUse={"input": ""}), stop(0), END],
        [ToolCallStart(0, "u", "now"), ENDED],
    ),
    "`tool_use` is an ordinary tool, though the documentation does not know the word": (
        [start(0, toolUse={"toolUseId": "functions.get_temperature:0", "name": "f", "type": "tool_use"}), END],
        [ToolCallStart(0, "functions.get_temperature:0", "f"), ENDED],
    ),
    "a tool's result without a word is still told": (
        [start(4, toolResult={"toolUseId": "u", "status": "error"}), stop(4), END],
        [ToolResultDelta(0, "u", [], is_error=True), ENDED],
    ),
    "null members say nothing": (
        [start(0, toolUse=None), delta(0, toolUse=None, text="a"), END],
        [TextDelta(0, "a"), ENDED],
    ),
    "null members beside a citation, and in reasoning, say nothing": (
        [
            delta(0, toolUse=None, citation={"title": "T"}),
            delta(1, reasoningContent={"text": "", "signature": "c2ln", "hologram": None}),
            END,
        ],
        [CitationDelta(0, {"title": "T"}), ReasoningDelta(1, signature="c2ln"), ENDED],
    ),
    "what nobody has met is named and skipped": (
        [
            {"hologramStart": {}},
            start(0, image={"format": "png"}),
            delta(0, image={}),
            delta(1, reasoningContent={"hologram": "x"}),
            delta(2, text="a"),
            END,
        ],
        [
            Unknown("hologramStart"),
            Unknown("contentBlockStart.image"),
            Unknown("contentBlockDelta.image"),
            Unknown("reasoningContent.hologram"),
            TextDelta(1, "a"),
            ENDED,
        ],
    ),
    "a message's stop without metadata is a success without usage": (
        [{"messageStart": {"role": "assistant"}}, END],
        [Opened(), ENDED],
    ),
    "the stop sequence that hit is told where it was asked for": (
        [
            {
                "messageStop": {
                    "stopReason": "stop_sequence",
                    "additionalModelResponseFields": {"delta": {"stop_sequence": "END"}},
                }
            }
        ],
        [Stop(StopReason.STOP_SEQUENCE, "stop_sequence", "END")],
    ),
    "usage in the old names of the cache's tokens": (
        [
            END,
            {
                "metadata": {
                    "usage": {
                        "inputTokens": 1,
                        "outputTokens": 2,
                        "totalTokens": 10,
                        "cacheReadInputTokenCount": 3,
                        "cacheWriteInputTokenCount": 4,
                        "serverToolUsage": {},
                    },
                    "metrics": {"latencyMs": 5},
                    "trace": {
                        "guardrail": {"modelOutput": ["x"]},
                        "promptRouter": {"invokedModelId": "arn"},
                    },
                }
            },
        ],
        [ENDED, Usage(1, 2, 3, 4, 10), Timing(5), GuardrailTrace({"modelOutput": ["x"]})],
    ),
}


@pytest.mark.parametrize(("events", "deltas"), CASES.values(), ids=CASES)
def test_events_say(events: list[Any], deltas: list[Delta]) -> None:
    assert decoded(REQUEST, events) == deltas


STOPS = {
    "end_turn": StopReason.END_TURN,
    "tool_use": StopReason.TOOL_USE,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "guardrail_intervened": StopReason.GUARDRAIL_INTERVENED,
    "content_filtered": StopReason.CONTENT_FILTERED,
    "malformed_model_output": StopReason.MALFORMED_OUTPUT,
    "malformed_tool_use": StopReason.MALFORMED_OUTPUT,
    "model_context_window_exceeded": StopReason.CONTEXT_WINDOW_EXCEEDED,
    "a word of next year": StopReason.OTHER,
}


@pytest.mark.parametrize(("raw", "reason"), STOPS.items(), ids=STOPS)
def test_a_stop_reason_is_ours_and_keeps_its_own_word(raw: str, reason: StopReason) -> None:
    assert decoded(REQUEST, [{"messageStop": {"stopReason": raw}}]) == [Stop(reason, raw)]


def test_a_stream_without_a_message_s_stop_is_truncated_even_with_metadata() -> None:
    usage = {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
    with pytest.raises(UpstreamError) as caught:
        decoded(REQUEST, [delta(0, text="a"), {"metadata": usage}])
    assert caught.value.code.name == "upstream_truncated"


UNREADABLE: dict[str, Any] = {
    "an event that is none": 3,
    "a payload that is none": {"contentBlockDelta": "x"},
    "a piece of no block": {"contentBlockDelta": {"delta": {"text": "a"}}},
    "a piece of nothing": {"contentBlockDelta": {"contentBlockIndex": 0}},
    "text that is none": delta(0, text=3),
    "a call's piece before its start": delta(0, toolUse={"input": "{"}),
    "a result's piece before its start": delta(0, toolResult=[{"text": "x"}]),
    "a call without a name": start(0, toolUse={"toolUseId": "u"}),
    "a result of no call": start(0, toolResult={"status": "success"}),
    "reasoning that is none": delta(0, reasoningContent="x"),
    "a citation that is none": delta(0, citation="x"),
    "the end of no block": {"contentBlockStop": {}},
    "an end without a reason": {"messageStop": {}},
    "usage that is none": {"metadata": {"usage": 3}},
}


@pytest.mark.parametrize("chunk", UNREADABLE.values(), ids=UNREADABLE)
def test_a_known_event_in_a_shape_we_cannot_read_is_corrupt(chunk: Any) -> None:
    target = target_of(REQUEST)
    with pytest.raises(UpstreamError) as caught:
        wire_of(target).decoder(REQUEST, target.model).decode(chunk)
    assert caught.value.code.name == "upstream_corrupt"


def test_an_event_named_after_an_exception_is_one() -> None:
    target = target_of(REQUEST)
    with pytest.raises(UpstreamError) as caught:
        wire_of(target).decoder(REQUEST, target.model).decode({"modelStreamErrorException": {"message": "x"}})
    assert caught.value.code.name == "model_error"


def test_pieces_of_arguments_go_to_the_call_they_belong_to() -> None:
    events = [
        start(5, toolUse={"toolUseId": "a", "name": "f"}),
        start(9, toolUse={"toolUseId": "b", "name": "g"}),
        delta(5, toolUse={"input": "{}"}),
        delta(9, toolUse={"input": "[]"}),
        END,
    ]
    assert decoded(REQUEST, events)[2:4] == [ToolCallDelta(0, "{}"), ToolCallDelta(1, "[]")]
