"""What Converse is sent: exactly this, by the rules that Bedrock checks beyond the shapes."""

import json
from typing import Any

import pytest

from service.errors import InvalidRequest
from service.generation import (
    CachePoint,
    Document,
    Guardrail,
    Image,
    Message,
    Reasoning,
    ReasoningBlock,
    Request,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
)
from tests.families.test_bodies import CALLED, HISTORY, SYSTEM, WEATHER, assistant, user
from tests.families.wire import EXAMPLES, asked, body

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ADAPTIVE = "us.anthropic.claude-opus-4-7"
NOVA = EXAMPLES["nova"]
LLAMA = EXAMPLES["llama"]
SPEC = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {"json": WEATHER.input_schema},
        "description": "Tell the weather",
    }
}
REMEMBERED = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}


def spoken(model_id: str, *, stream: bool = True, **fields: Any) -> dict[str, Any]:
    """The body without the messages, which most cases do not touch."""
    said = body(asked(model_id, "converse", **fields), stream=stream)
    return {name: member for name, member in said.items() if name != "messages"}


def messages(model_id: str, *turns: Message, prefill: str = "") -> Any:
    """The messages alone."""
    return body(asked(model_id, "converse", messages=turns), prefill=prefill)["messages"]


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "as little as can be": (CLAUDE, {}, {}),
    "all the plain parameters": (
        CLAUDE,
        {
            "system": (Text("Be brief."), CachePoint("1h")),
            "max_tokens": 9,
            "temperature": 0.0,
            "top_p": 0.9,
            "stop_sequences": ("END",),
            "metadata": {"team": "t"},
        },
        {
            "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
            "inferenceConfig": {"maxTokens": 9, "temperature": 0.0, "topP": 0.9, "stopSequences": ["END"]},
            "additionalModelResponseFieldPaths": ["/delta/stop_sequence"],
            "requestMetadata": {"team": "t"},
        },
    ),
    "top_k in Claude's way": (CLAUDE, {"top_k": 4}, {"additionalModelRequestFields": {"top_k": 4}}),
    "top_k in Nova's way": (
        NOVA,
        {"top_k": 4, "extra": {"inferenceConfig": {"x": 1}}},
        {"additionalModelRequestFields": {"inferenceConfig": {"topK": 4, "x": 1}}},
    ),
    "top_k in Cohere's way": (EXAMPLES["command_r"], {"top_k": 4}, {"additionalModelRequestFields": {"k": 4}}),
    "Claude's betas": (CLAUDE, {"beta": ("b1",)}, {"additionalModelRequestFields": {"anthropic_beta": ["b1"]}}),
    "betas are Claude's alone": (NOVA, {"beta": ("b1",)}, {}),
    "what the caller adds is the model's, or Converse's own": (
        CLAUDE,
        {"extra": {"top_k": 5, "serviceTier": {"type": "flex"}}, "top_k": 4},
        {"additionalModelRequestFields": {"top_k": 5}, "serviceTier": {"type": "flex"}},
    ),
    "a schema for the answer": (
        CLAUDE,
        {"output_schema": {"type": "object"}, "output_schema_name": "city"},
        {
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"schema": '{"type": "object"}', "name": "city"}},
                }
            }
        },
    ),
    "a guardrail of a stream": (
        CLAUDE,
        {"guardrail": Guardrail("g", "DRAFT", "enabled", "async")},
        {
            "guardrailConfig": {
                "guardrailIdentifier": "g",
                "guardrailVersion": "DRAFT",
                "trace": "enabled",
                "streamProcessingMode": "async",
            }
        },
    ),
    "tools, among which the model chooses": (CLAUDE, {"tools": (WEATHER,)}, {"toolConfig": {"tools": [SPEC]}}),
    "tools, with a cache point behind them": (
        CLAUDE,
        {"tools": (WEATHER, CachePoint()), "tool_choice": ToolChoice("auto")},
        {"toolConfig": {"tools": [SPEC, {"cachePoint": {"type": "default"}}], "toolChoice": {"auto": {}}}},
    ),
    "a tool that must be called": (
        CLAUDE,
        {"tools": (WEATHER,), "tool_choice": ToolChoice("tool", "get_weather")},
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"tool": {"name": "get_weather"}}}},
    ),
    "one call at a time, which is Claude's own member": (
        CLAUDE,
        {"tools": (WEATHER,), "tool_choice": ToolChoice("any"), "parallel_tool_calls": False},
        {
            "toolConfig": {"tools": [SPEC]},
            "additionalModelRequestFields": {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        },
    ),
    "no tool, without a history of them": (CLAUDE, {"tools": (WEATHER,), "tool_choice": ToolChoice("none")}, {}),
    "no tool, in Claude's way": (
        CLAUDE,
        {"messages": CALLED, "tools": (WEATHER,), "tool_choice": ToolChoice("none")},
        {
            "toolConfig": {"tools": [SPEC]},
            "additionalModelRequestFields": {"tool_choice": {"type": "none"}},
        },
    ),
    "no tool, in words for those who have no other way": (
        NOVA,
        {"messages": CALLED, "tools": (WEATHER,), "tool_choice": ToolChoice("none"), "system": SYSTEM},
        {
            "system": [{"text": "Be brief."}, {"text": "Answer without calling any tool."}],
            "toolConfig": {"tools": [SPEC]},
        },
    ),
    "a history of calls whose tools are gone": (
        CLAUDE,
        {"messages": CALLED},
        {
            "toolConfig": {"tools": [REMEMBERED]},
            "additionalModelRequestFields": {"tool_choice": {"type": "none"}},
        },
    ),
    "one call at a time, of whichever tool": (
        CLAUDE,
        {"tools": (WEATHER,), "parallel_tool_calls": False},
        {
            "toolConfig": {"tools": [SPEC]},
            "additionalModelRequestFields": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        },
    ),
    "a result of a call that the history has lost": (
        NOVA,
        {"messages": (user(ToolResult("c1", (Text("rain"),))),)},
        {
            "system": [{"text": "Answer without calling any tool."}],
            "toolConfig": {
                "tools": [
                    {
                        "toolSpec": {
                            "name": "tool",
                            "inputSchema": {"json": {"type": "object", "properties": {}}},
                        }
                    }
                ]
            },
        },
    ),
    "a schema without a name": (
        CLAUDE,
        {"output_schema": {}},
        {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}},
    ),
    "a budget": (
        CLAUDE,
        {"max_tokens": 5000, "reasoning": Reasoning(budget_tokens=2000)},
        {
            "inferenceConfig": {"maxTokens": 5000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        },
    ),
    "an effort that is a budget, below the limit": (
        CLAUDE,
        {"max_tokens": 3000, "reasoning": Reasoning(effort="high")},
        {
            "inferenceConfig": {"maxTokens": 3000},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2999}},
        },
    ),
    "adaptive, by the model's own measure": (
        ADAPTIVE,
        {"reasoning": Reasoning()},
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}},
    ),
    "adaptive, by an effort": (
        ADAPTIVE,
        {"reasoning": Reasoning(effort="max")},
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}},
    ),
    "Claude 4.6 takes a budget too": (
        "us.anthropic.claude-sonnet-4-6",
        {"reasoning": Reasoning(budget_tokens=2000)},
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
    ),
    "Claude 4.6 takes an effort": (
        "us.anthropic.claude-sonnet-4-6",
        {"reasoning": Reasoning(effort="low")},
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}},
    ),
    "no reasoning": (CLAUDE, {"reasoning": Reasoning(enabled=False)}, {}),
    "Nova 2's reasoning": (
        "us.amazon.nova-2-lite-v1:0",
        {"max_tokens": 9, "reasoning": Reasoning(effort="low")},
        {
            "inferenceConfig": {"maxTokens": 9},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        },
    ),
    "Nova 2 at its highest effort has no limits": (
        "us.amazon.nova-2-lite-v1:0",
        {"max_tokens": 9, "stop_sequences": ("END",), "reasoning": Reasoning(budget_tokens=20000)},
        {
            "inferenceConfig": {"stopSequences": ["END"]},
            "additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
        },
    ),
    "gpt-oss's reasoning": (
        EXAMPLES["openai_chat"],
        {"reasoning": Reasoning(effort="max")},
        {"additionalModelRequestFields": {"reasoning_effort": "high"}},
    ),
    "GPT's reasoning": (
        "us.openai.gpt-6-sol",
        {"reasoning": Reasoning(effort="minimal")},
        {"additionalModelRequestFields": {"reasoning": {"effort": "minimal"}}},
    ),
    "DeepSeek V3's reasoning": (
        "deepseek.v3.2",
        {"reasoning": Reasoning(effort="low")},
        {"additionalModelRequestFields": {"reasoning_effort": "high"}},
    ),
    "Qwen's reasoning": (
        "qwen.qwen3-32b-v1:0",
        {"reasoning": Reasoning()},
        {"additionalModelRequestFields": {"reasoning_config": "medium"}},
    ),
    "R1 reasons without being told": (EXAMPLES["deepseek_r1"], {"reasoning": Reasoning(effort="high")}, {}),
    "a stored prompt brings all but the variables itself": (
        "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1",
        {"system": SYSTEM, "max_tokens": 9, "extra": {"promptVariables": {"city": {"text": "Oslo"}}}},
        {"promptVariables": {"city": {"text": "Oslo"}}},
    ),
}


@pytest.mark.parametrize(("model_id", "fields", "expected"), CASES.values(), ids=CASES)
def test_converse_is_sent(model_id: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert spoken(model_id, **fields) == expected


def test_a_whole_call_asks_for_the_stop_sequence_elsewhere_and_has_no_way_of_streaming() -> None:
    said = spoken(CLAUDE, stream=False, stop_sequences=("END",), guardrail=Guardrail("g", "1", stream_mode="sync"))
    assert said["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert said["guardrailConfig"] == {"guardrailIdentifier": "g", "guardrailVersion": "1"}


def test_every_block_has_its_shape() -> None:
    blocks = (
        Text("Look:"),
        Image("image/jpg", "iVBO"),
        Document("text/csv; charset=utf-8", "YSxi", "a/b: c  (1).csv"),
        Document("application/pdf", "JVBE", "a/b: c  (1).csv"),
        CachePoint(),
    )
    assert messages(CLAUDE, Message("user", blocks)) == [
        {
            "role": "user",
            "content": [
                {"text": "Look:"},
                {"image": {"format": "jpeg", "source": {"bytes": "iVBO"}}},
                {"document": {"format": "csv", "name": "a b c (1) csv", "source": {"bytes": "YSxi"}}},
                {"document": {"format": "pdf", "name": "a b c (1) csv 2", "source": {"bytes": "JVBE"}}},
                {"cachePoint": {"type": "default"}},
            ],
        }
    ]


def test_a_document_without_a_text_gets_one() -> None:
    (message,) = messages(CLAUDE, user(Document("application/pdf", "JVBE", "***")))
    assert message["content"][1] == {"text": "Documents: document"}


def test_neighbours_of_one_role_become_one_message_and_blank_text_goes() -> None:
    assert messages(CLAUDE, user("a", " \n"), user("b"), assistant("c"), user("d")) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]


RESULT = {"toolResult": {"toolUseId": "c1", "content": [{"text": "rain"}], "status": "error"}}
MIXED = (
    CALLED[0],
    CALLED[1],
    user("Well?", ToolResult("c1", (Text("rain"),), is_error=True)),
)


def test_a_tool_s_results_come_first() -> None:
    assert messages(CLAUDE, *MIXED)[-1]["content"] == [RESULT, {"text": "Well?"}]


@pytest.mark.parametrize("model_id", [LLAMA, EXAMPLES["mistral_chat"]])
def test_llama_and_mistral_get_a_tool_s_results_alone(model_id: str) -> None:
    assert messages(model_id, *MIXED)[-3:] == [
        {"role": "user", "content": [RESULT]},
        {"role": "assistant", "content": [{"text": "Noted."}]},
        {"role": "user", "content": [{"text": "Well?"}]},
    ]


def test_writer_does_not_know_whether_a_tool_failed() -> None:
    assert "status" not in messages("writer.palmyra-x5-v1:0", *MIXED)[-1]["content"][0]["toolResult"]


def test_a_tool_that_said_nothing_said_so() -> None:
    result = messages(CLAUDE, CALLED[0], CALLED[1], user(ToolResult("c1")))[-1]["content"][0]
    assert result == {"toolResult": {"toolUseId": "c1", "content": [{"text": "(empty)"}]}}


SIGNED = ReasoningBlock("Hm.", "c2ln")
REDACTED = ReasoningBlock(redacted="RW4=")
UNSIGNED = ReasoningBlock("Hm.")
SIGNED_SAID = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
REDACTED_SAID = {"reasoningContent": {"redactedContent": "RW4="}}
UNSIGNED_SAID = {"reasoningContent": {"reasoningText": {"text": "Hm."}}}

HANDED_BACK = {
    "to Claude, signed and redacted": (CLAUDE, [SIGNED_SAID, REDACTED_SAID]),
    "to gpt-oss, unchanged": (EXAMPLES["openai_chat"], [SIGNED_SAID, REDACTED_SAID, UNSIGNED_SAID]),
    "not to R1, which refuses it": (EXAMPLES["deepseek_r1"], []),
    "not to a model that does not reason": (NOVA, []),
}


@pytest.mark.parametrize(("model_id", "expected"), HANDED_BACK.values(), ids=HANDED_BACK)
def test_reasoning_is_handed_back(model_id: str, expected: list[Any]) -> None:
    turns = messages(model_id, user("a"), assistant(SIGNED, REDACTED, UNSIGNED, "b"), user("c"))
    assert turns[1]["content"] == [*expected, {"text": "b"}]


def test_a_turn_of_nothing_but_reasoning_that_is_not_handed_back_is_left_out() -> None:
    assert messages(NOVA, user("a"), assistant(UNSIGNED), user("c")) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "c"}]}
    ]


def test_a_message_of_nothing_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(CLAUDE, user("a"), assistant("b"), user("\t"))
    assert [error.field for error in caught.value.fields] == ["messages.2.content"]


@pytest.mark.parametrize(
    "block", [Image("image/tiff", "x"), Document("application/zip", "x")], ids=["image", "document"]
)
def test_a_medium_of_an_unknown_format_is_refused_by_name(block: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(CLAUDE, user("a", block))
    assert [error.field for error in caught.value.fields] == ["messages.0.content.1"]


def test_the_answer_so_far_is_the_last_message() -> None:
    assert messages(CLAUDE, *HISTORY, prefill="Once")[-1] == {"role": "assistant", "content": [{"text": "Once"}]}
    begun = (user("a"), assistant("Once upon "))
    assert messages(CLAUDE, *begun)[-1]["content"] == [{"text": "Once upon"}]
    assert messages(CLAUDE, *begun, prefill="a time")[-1]["content"] == [{"text": "Once upon "}, {"text": "a time"}]


def test_nova_s_schemas_stand_without_definitions() -> None:
    schema = {
        "title": "Trip",
        "type": "object",
        "additionalProperties": False,
        "properties": {"stops": {"type": "array", "items": {"$ref": "#/$defs/Stop"}}},
        "required": ["stops"],
        "$defs": {
            "Stop": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Stop", "description": "x"}},
            }
        },
    }
    spec = spoken(NOVA, tools=(Tool("plan", schema),))["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"] == {
        "type": "object",
        "properties": {
            "stops": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "next": {}}},
            }
        },
        "required": ["stops"],
    }
    claude = spoken(CLAUDE, tools=(Tool("plan", schema, strict=True),))["toolConfig"]["tools"][0]["toolSpec"]
    assert claude == {"name": "plan", "inputSchema": {"json": schema}, "strict": True}


def test_a_body_is_json_and_leaves_the_request_as_it_was() -> None:
    request = Request(CLAUDE, MIXED, system=SYSTEM, tools=(WEATHER,), extra={"a": {"b": 1}}, api="converse")
    before = repr(request)
    json.dumps(body(request))
    assert repr(request) == before
