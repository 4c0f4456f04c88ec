"""Whole answers say what a stream of them would have, with the usage of their headers where the body has none."""

from typing import Any

import pytest

from service.bedrock.catalog.resolution import MODELS
from service.deltas import (
    CitationDelta,
    Delta,
    GuardrailTrace,
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
from tests.families.wire import EXAMPLES, asked, whole

HEADERS = {
    "x-amzn-bedrock-invocation-latency": "412",
    "x-amzn-bedrock-input-token-count": "17",
    "x-amzn-bedrock-output-token-count": "34",
}
COUNTED: list[Delta] = [Usage(17, 34), Timing(412)]

WHOLES: dict[str, tuple[str, Any, list[Delta]]] = {
    "Claude 2": (
        "claude_text",
        {"type": "completion", "completion": " Hi.", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        [TextDelta(0, " Hi."), *COUNTED, Stop(StopReason.END_TURN, "stop_sequence")],
    ),
    "Claude": (
        "claude_messages",
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "text", "text": "Look:"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "ü"}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 392,
                "output_tokens": 135,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 7,
            },
        },
        [
            ReasoningDelta(0, "Hm."),
            ReasoningDelta(0, signature="c2ln"),
            TextDelta(1, "Look:"),
            ToolCallStart(2, "toolu_1", "f"),
            ToolCallDelta(2, '{"a":"ü"}'),
            Usage(392, 135, 7, 0),
            Timing(412),
            Stop(StopReason.TOOL_USE, "tool_use"),
        ],
    ),
    "Nova": (
        "nova",
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [{"text": "Hi"}, {"toolUse": {"toolUseId": "u1", "name": "f", "input": {}}}],
                }
            },
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 5,
                "outputTokens": 10,
                "totalTokens": 15,
                "cacheReadInputTokenCount": 0,
                "cacheWriteInputTokenCount": 0,
            },
        },
        [
            TextDelta(0, "Hi"),
            ToolCallStart(1, "u1", "f"),
            ToolCallDelta(1, "{}"),
            Usage(5, 10, 0, 0, 15),
            Timing(412),
            Stop(StopReason.END_TURN, "end_turn"),
        ],
    ),
    "Titan": (
        "titan",
        {
            "inputTextTokenCount": 5,
            "results": [{"tokenCount": 10, "outputText": "\nHello!", "completionReason": "LENGTH"}],
        },
        [TextDelta(0, "\nHello!"), Usage(5, 10), Timing(412), Stop(StopReason.MAX_TOKENS, "LENGTH")],
    ),
    "Llama": (
        "llama",
        {"generation": "Hi", "prompt_token_count": 10, "generation_token_count": 60, "stop_reason": "length"},
        [TextDelta(0, "Hi"), Usage(10, 60), Timing(412), Stop(StopReason.MAX_TOKENS, "length")],
    ),
    "Command": (
        "command",
        {"generations": [{"finish_reason": "MAX_TOKENS", "id": "1", "text": " A"}], "id": "2", "prompt": "x"},
        [TextDelta(0, " A"), *COUNTED, Stop(StopReason.MAX_TOKENS, "MAX_TOKENS")],
    ),
    "Command R": (
        "command_r",
        {
            "response_id": "r",
            "text": "",
            "generation_id": "g",
            "chat_history": [],
            "tool_calls": [{"name": "f", "parameters": {"a": 1}}],
            "finish_reason": "COMPLETE",
            "meta": {"billed_units": {"input_tokens": 6, "output_tokens": 98}},
        },
        [
            ToolCallStart(0, "g_0", "f"),
            ToolCallDelta(0, '{"a":1}'),
            Usage(6, 98),
            Timing(412),
            Stop(StopReason.TOOL_USE, "COMPLETE"),
        ],
    ),
    "Jurassic-2": (
        "jurassic",
        {
            "id": 1234,
            "prompt": {"text": "x", "tokens": []},
            "completions": [{"data": {"text": "\nHi", "tokens": []}, "finishReason": {"reason": "endoftext"}}],
        },
        [TextDelta(0, "\nHi"), *COUNTED, Stop(StopReason.END_TURN, "endoftext")],
    ),
    "Mistral 7B": (
        "mistral_prompt",
        {"outputs": [{"text": " 100 degrees.", "stop_reason": "stop"}]},
        [TextDelta(0, " 100 degrees."), *COUNTED, Stop(StopReason.END_TURN, "stop")],
    ),
    "Mistral Large 2407": (
        "mistral_chat",
        {
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
                    },
                    "stop_reason": "tool_calls",
                }
            ]
        },
        [ToolCallStart(0, "c1", "f"), ToolCallDelta(0, "{}"), *COUNTED, Stop(StopReason.TOOL_USE, "tool_calls")],
    ),
    "DeepSeek R1": (
        "deepseek_r1",
        {"choices": [{"text": "Hm.\n</think>\n\nHi", "stop_reason": "length"}]},
        [
            ReasoningDelta(0, "Hm.\n"),
            TextDelta(1, "\n\nHi"),
            *COUNTED,
            Stop(StopReason.MAX_TOKENS, "length"),
        ],
    ),
    "gpt-oss": (
        "openai_chat",
        {
            "choices": [
                {
                    "finish_reason": "stop",
                    "index": 0,
                    "message": {
                        "annotations": [],
                        "content": "<reasoning>Hm.</reasoning>pong",
                        "refusal": None,
                        "role": "assistant",
                    },
                }
            ],
            "usage": {"prompt_tokens": 16, "completion_tokens": 19, "total_tokens": 35},
        },
        [
            ReasoningDelta(0, "Hm."),
            TextDelta(1, "pong"),
            Usage(16, 19, total_tokens=35),
            Timing(412),
            Stop(StopReason.END_TURN, "stop"),
        ],
    ),
    "what hides behind an ARN": (
        "tolerant",
        {"generation": "Hi", "prompt_token_count": 1, "generation_token_count": 2, "stop_reason": "stop"},
        [TextDelta(0, "Hi"), Usage(1, 2), Timing(412), Stop(StopReason.END_TURN, "stop")],
    ),
}


@pytest.mark.parametrize(("family", "answer", "deltas"), WHOLES.values(), ids=WHOLES)
def test_a_whole_answer_says(family: str, answer: Any, deltas: list[Delta]) -> None:
    assert whole(asked(EXAMPLES[family]), answer, HEADERS) == deltas


def test_every_family_has_a_whole_answer() -> None:
    assert {model.family for model in MODELS} <= {family for family, _, _ in WHOLES.values()}


def test_a_number_that_nobody_reported_is_none() -> None:
    deltas = whole(asked(EXAMPLES["mistral_prompt"]), {"outputs": [{"text": "Hi", "stop_reason": "stop"}]})
    assert deltas == [TextDelta(0, "Hi"), Stop(StopReason.END_TURN, "stop")]


def test_a_guardrail_that_blocks_a_whole_answer_is_its_stop_reason() -> None:
    answer = {
        "results": [{"tokenCount": 3.0, "outputText": "Blocked.", "completionReason": None}],
        "inputTextTokenCount": 4.0,
        "amazon-bedrock-guardrailAction": "INTERVENED",
        "amazon-bedrock-trace": {"guardrail": {"actionReason": "x"}},
    }
    assert whole(asked(EXAMPLES["titan"]), answer) == [
        TextDelta(0, "Blocked."),
        Usage(4, 3),
        GuardrailTrace({"actionReason": "x"}),
        Stop(StopReason.GUARDRAIL_INTERVENED, None),
    ]


@pytest.mark.parametrize("answer", [[], "x", None, {"hologram": 1}, {}], ids=repr)
@pytest.mark.parametrize("family", EXAMPLES)
def test_an_answer_that_is_none_is_corrupt(family: str, answer: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        whole(asked(EXAMPLES[family]), answer, HEADERS)
    assert caught.value.code.name == "upstream_corrupt"


CONVERSE: dict[str, tuple[list[Any], list[Delta]]] = {
    "text, then the reasoning that went before it, as DeepSeek lists them": (
        [{"text": "Hi"}, {"reasoningContent": {"reasoningText": {"text": "Hm."}}}],
        [TextDelta(0, "Hi"), ReasoningDelta(1, "Hm.")],
    ),
    "signed and redacted reasoning": (
        [
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "RW4="}},
        ],
        [ReasoningDelta(0, "Hm."), ReasoningDelta(0, signature="c2ln"), ReasoningDelta(1, redacted="RW4=")],
    ),
    "citations, then their text": (
        [{"citationsContent": {"content": [{"text": "It "}, {"text": "rains."}], "citations": [{"title": "T"}]}}],
        [CitationDelta(0, {"title": "T"}), TextDelta(0, "It rains.")],
    ),
    "a tool that Bedrock ran": (
        [
            {"toolUse": {"toolUseId": "u", "name": "f", "input": {"a": 7006652.0}, "type": "server_tool_use"}},
            {"toolResult": {"toolUseId": "u", "content": [{"text": "42"}], "status": "error"}},
        ],
        [
            ToolCallStart(0, "u", "f", server=True),
            ToolCallDelta(0, '{"a":7006652.0}'),
            ToolResultDelta(1, "u", [{"text": "42"}], is_error=True),
        ],
    ),
    "empty text, which is no block": ([{"text": ""}, {"text": "Hi"}], [TextDelta(0, "Hi")]),
    "a block that nobody has met": ([{"hologram": {}}, {"text": "Hi"}], [Unknown("hologram"), TextDelta(0, "Hi")]),
}


@pytest.mark.parametrize(("content", "deltas"), CONVERSE.values(), ids=CONVERSE)
def test_a_whole_answer_of_converse_says(content: list[Any], deltas: list[Delta]) -> None:
    answer = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"stop_sequence": "END"},
        "usage": {"inputTokens": 11, "outputTokens": 264, "totalTokens": 1303, "cacheWriteInputTokens": 1028},
        "metrics": {"latencyMs": 900},
        "trace": {"guardrail": {"actionReason": "x"}},
    }
    assert whole(asked(EXAMPLES["nova"], "converse"), answer) == [
        *deltas,
        Stop(StopReason.STOP_SEQUENCE, "stop_sequence", "END"),
        Usage(11, 264, None, 1028, 1303),
        Timing(900),
        GuardrailTrace({"actionReason": "x"}),
    ]


def test_a_whole_answer_of_converse_without_numbers_has_none() -> None:
    answer = {"output": {"message": {"content": [{"text": "a", "image": None}]}}, "stopReason": "end_turn"}
    assert whole(asked(EXAMPLES["nova"], "converse"), answer) == [
        TextDelta(0, "a"),
        Stop(StopReason.END_TURN, "end_turn"),
    ]


ENDS: dict[str, tuple[dict[str, Any], list[Delta]]] = {
    "without a reason": ({"data": {"text": "a"}}, [TextDelta(0, "a"), Stop(StopReason.OTHER, None)]),
    "without a text": (
        {"data": {"text": ""}, "finishReason": {"reason": "length"}},
        [Stop(StopReason.MAX_TOKENS, "length")],
    ),
}


@pytest.mark.parametrize(("completion", "deltas"), ENDS.values(), ids=ENDS)
def test_a_completion_of_jurassic_s_may_end(completion: dict[str, Any], deltas: list[Delta]) -> None:
    assert whole(asked(EXAMPLES["jurassic"]), {"completions": [completion]}) == deltas


WRONG: dict[str, Any] = {
    "no output": {"stopReason": "end_turn"},
    "no message": {"output": {}, "stopReason": "end_turn"},
    "no stop reason": {"output": {"message": {"content": []}}},
    "content that is no list": {"output": {"message": {"content": "x"}}, "stopReason": "end_turn"},
    "a call without a name": {
        "output": {"message": {"content": [{"toolUse": {"toolUseId": "u"}}]}},
        "stopReason": "end_turn",
    },
    "a result of no call": {"output": {"message": {"content": [{"toolResult": {}}]}}, "stopReason": "end_turn"},
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_a_whole_answer_of_converse_that_cannot_be_read_is_corrupt(answer: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        whole(asked(EXAMPLES["nova"], "converse"), answer)
    assert caught.value.code.name == "upstream_corrupt"
