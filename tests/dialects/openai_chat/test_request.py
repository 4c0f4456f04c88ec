"""Chat Completions requests, in our terms."""

from typing import Any

import pytest

from service.dialects.openai_chat import ChatOptions, parse
from service.errors import InvalidRequest
from service.generation import (
    CachePoint,
    Document,
    Image,
    Message,
    Reasoning,
    ReasoningBlock,
    Request,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)

HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ACT: dict[str, Any] = {"type": "function", "function": {"name": "act", "description": "Acts.", "parameters": SCHEMA}}
LOOK: dict[str, Any] = {"type": "function", "function": {"name": "look"}}
ACT_TOOL = Tool("act", SCHEMA, "Acts.")
LOOK_TOOL = Tool("look", {"type": "object", "properties": {}})


def request(**members: Any) -> Request:
    return parse({"model": "m", "messages": HI} | members).request


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "without a limit the model's own holds": ({}, {"max_tokens": None}),
    "max_tokens": ({"max_tokens": 5}, {"max_tokens": 5}),
    "max_completion_tokens comes first": ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    "sampling": ({"temperature": 1.5, "top_p": 0.5, "top_k": 3}, {"temperature": 1.5, "top_p": 0.5, "top_k": 3}),
    "a whole number is a temperature": ({"temperature": 1}, {"temperature": 1.0}),
    "one stop sequence": ({"stop": "END"}, {"stop_sequences": ("END",)}),
    "several stop sequences, the blank ones taken out": ({"stop": ["a", "\n"]}, {"stop_sequences": ("a",)}),
    "no stop sequence": ({"stop": None}, {"stop_sequences": ()}),
    "one answer": ({"n": 1}, {}),
    "tools": ({"tools": [ACT, LOOK]}, {"tools": (ACT_TOOL, LOOK_TOOL), "tool_choice": None}),
    "a choice by itself": ({"tools": [ACT], "tool_choice": "auto"}, {"tool_choice": ToolChoice("auto")}),
    "no tool": ({"tools": [ACT], "tool_choice": "none"}, {"tool_choice": ToolChoice("none")}),
    "some tool": ({"tools": [ACT], "tool_choice": "required"}, {"tool_choice": ToolChoice("any")}),
    "one tool": (
        {"tools": [ACT], "tool_choice": {"type": "function", "function": {"name": "act"}}},
        {"tool_choice": ToolChoice("tool", "act")},
    ),
    "some of the tools": (
        {
            "tools": [ACT, LOOK],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [LOOK]}},
        },
        {"tools": (LOOK_TOOL,), "tool_choice": ToolChoice("any")},
    ),
    "a choice without tools is none": ({"tool_choice": "auto"}, {"tool_choice": None}),
    "one call at a time": ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    "a form for the answer": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}},
        {"output_schema": SCHEMA, "output_schema_name": "city"},
    ),
    "text": ({"response_format": {"type": "text"}}, {"output_schema": None}),
    "effort": ({"reasoning_effort": "high"}, {"reasoning": Reasoning(effort="high")}),
    "the least effort": ({"reasoning_effort": "minimal"}, {"reasoning": Reasoning(effort="low")}),
    "no effort": ({"reasoning_effort": "none"}, {"reasoning": Reasoning(enabled=False)}),
    "metadata": ({"metadata": {"team": "blue"}}, {"metadata": {"team": "blue"}}),
}


@pytest.mark.parametrize(("given", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field(given: dict[str, Any], expected: dict[str, Any]) -> None:
    made = request(**given)
    assert {name: getattr(made, name) for name in expected} == expected


CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], tuple[Any, ...], tuple[Message, ...]]] = {
    "system and developer, wherever they stand": (
        [
            {"role": "system", "content": "Be brief."},
            *HI,
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        ],
        (Text("Be brief."), Text("Be kind.")),
        (Message("user", (Text("Hi"),)),),
    ),
    "a system that speaks alone is asked": (
        [{"role": "system", "content": "Say hello."}],
        (),
        (Message("user", (Text("Say hello."),)),),
    ),
    "an image": (
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PNG}}],
            }
        ],
        (),
        (Message("user", (Text("What?"), Image("image/png", "iVBORw0KGgo="))),),
    ),
    "files of one name": (
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"filename": "my_plan.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                    },
                    {"type": "file", "file": {"filename": "my_plan.pdf", "file_data": "JVBE"}},
                    {"type": "text", "text": "Compare."},
                ],
            }
        ],
        (),
        (
            Message(
                "user",
                (
                    Document("application/pdf", "JVBE", "my-plan"),
                    Document("application/pdf", "JVBE", "my-plan (2)"),
                    Text("Compare."),
                ),
            ),
        ),
    ),
    "cache points": (
        [
            {"role": "system", "content": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "U", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "1h"}}
                ],
            },
        ],
        (Text("S"), CachePoint()),
        (Message("user", (Text("U"), CachePoint("1h"))),),
    ),
    "parallel calls and their results, which are one turn with what the user says next": (
        [
            *HI,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "act", "arguments": '{"city":"Oslo"}'}},
                    {"id": "b", "type": "function", "function": {"name": "look", "arguments": ""}},
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "Rain"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "Fog"}]},
            {"role": "user", "content": "And?"},
        ],
        (),
        (
            Message("user", (Text("Hi"),)),
            Message("assistant", (ToolUse("a", "act", {"city": "Oslo"}), ToolUse("b", "look", {}))),
            Message("user", (ToolResult("a", (Text("Rain"),)), ToolResult("b", (Text("Fog"),)), Text("And?"))),
        ),
    ),
    "a call that was cut short is handed back as it was": (
        [
            *HI,
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "act", "arguments": '{"ci'}}]},
            {"role": "tool", "tool_call_id": "a", "content": ""},
        ],
        (),
        (
            Message("user", (Text("Hi"),)),
            Message("assistant", (ToolUse("a", "act", {"raw_arguments": '{"ci'}),)),
            Message("user", (ToolResult("a"),)),
        ),
    ),
    "reasoning, told and vouched for": (
        [
            *HI,
            {
                "role": "assistant",
                "content": "Yes.",
                "reasoning_content": "Hm.",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm.", "signature": "Eq"},
                    {"type": "reasoning.encrypted", "data": "b25l"},
                    {"type": "reasoning.summary", "summary": "another gateway's"},
                ],
            },
            {"role": "user", "content": "Go on."},
        ],
        (),
        (
            Message("user", (Text("Hi"),)),
            Message(
                "assistant", (ReasoningBlock(text="Hm.", signature="Eq"), ReasoningBlock(redacted="b25l"), Text("Yes."))
            ),
            Message("user", (Text("Go on."),)),
        ),
    ),
    "reasoning that nobody vouches for": (
        [
            *HI,
            {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."},
            *HI,
            {"role": "assistant", "content": "No.", "reasoning_details": [{"type": "reasoning.text", "text": "Oh."}]},
            *HI,
        ],
        (),
        (
            Message("user", (Text("Hi"),)),
            Message("assistant", (ReasoningBlock(text="Hm."), Text("Yes."))),
            Message("user", (Text("Hi"),)),
            Message("assistant", (ReasoningBlock(text="Oh."), Text("No."))),
            Message("user", (Text("Hi"),)),
        ),
    ),
    "documents among a tool's results": (
        [
            *HI,
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "act"}}]},
            {
                "role": "tool",
                "tool_call_id": "a",
                "content": [
                    {"type": "text", "text": "Here:"},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBE"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBE"}},
                ],
            },
        ],
        (),
        (
            Message("user", (Text("Hi"),)),
            Message("assistant", (ToolUse("a", "act", {}),)),
            Message(
                "user",
                (
                    ToolResult(
                        "a",
                        (
                            Text("Here:"),
                            Document("application/pdf", "JVBE", "a"),
                            Document("application/pdf", "JVBE", "a (2)"),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "a refusal among the parts was one too": (
        [*HI, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, *HI],
        (),
        (Message("user", (Text("Hi"),)), Message("assistant", (Text("No."),)), Message("user", (Text("Hi"),))),
    ),
    "a refusal was an answer": (
        [*HI, {"role": "assistant", "content": None, "refusal": "No."}, {"role": "user", "content": "Please."}],
        (),
        (Message("user", (Text("Hi"),)), Message("assistant", (Text("No."),)), Message("user", (Text("Please."),))),
    ),
    "what is blank is no message": (
        [{"role": "user", "content": " "}, *HI, {"role": "assistant", "content": ""}],
        (),
        (Message("user", (Text("Hi"),)),),
    ),
}


@pytest.mark.parametrize(("given", "system", "messages"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation(given: list[dict[str, Any]], system: tuple[Any, ...], messages: tuple[Message, ...]) -> None:
    made = request(messages=given)
    assert made.system == system
    assert made.messages == messages


WRONG: dict[str, tuple[Any, str]] = {
    "no object": ([], ""),
    "no messages": ({"messages": None}, "messages"),
    "nobody speaks": ({"messages": []}, "messages"),
    "an unknown role": ({"messages": [{"role": "oracle", "content": "x"}]}, "messages.0.role"),
    "a number for a text": ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    "two answers": ({"n": 2}, "n"),
    "no answer": ({"n": 0}, "n"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "a negative temperature": ({"temperature": -1}, "temperature"),
    "old functions": ({"functions": []}, "functions"),
    "audio": ({"modalities": ["text", "audio"]}, "modalities"),
    "an image elsewhere": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
            ]
        },
        "messages.0.content.0.image_url",
    ),
    "an image that is none": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:text/plain;base64,YQ=="}}],
                }
            ]
        },
        "messages.0.content.0.image_url",
    ),
    "an image in broken base64": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,a"}}]}
            ]
        },
        "messages.0.content.0.image_url",
    ),
    "an uploaded file": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
        "messages.0.content.0",
    ),
    "sound": (
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        "messages.0.content.0.type",
    ),
    "an image from the system": (
        {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]},
        "messages.0.content",
    ),
    "a result of nothing": ({"messages": [*HI, {"role": "tool", "content": "x"}]}, "messages.1.tool_call_id"),
    "a tool that is no function": ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "tools.0.name"),
    "a choice we do not know": ({"tools": [ACT], "tool_choice": "maybe"}, "tool_choice"),
    "a choice that is not offered": (
        {"tools": [ACT], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        "tool_choice",
    ),
    "allowed tools without a mode": (
        {"tools": [ACT], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [ACT]}}},
        "tool_choice.mode",
    ),
    "allowed tools without a name": (
        {"tools": [ACT], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [5]}}},
        "tool_choice",
    ),
    "a text without its text": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages.0.content.0.text",
    ),
    "an empty image": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]}
            ]
        },
        "messages.0.content.0.image_url",
    ),
    "a detail of no type": (
        {"messages": [*HI, {"role": "assistant", "content": "x", "reasoning_details": [{}]}]},
        "messages.1.reasoning_details.0",
    ),
    "an unknown form": ({"response_format": {"type": "yaml"}}, "response_format"),
    "an unknown effort": ({"reasoning_effort": "heroic"}, "reasoning_effort"),
}


@pytest.mark.parametrize(("given", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_with_the_name_of_the_field(given: Any, field: str) -> None:
    body = {"model": "m", "messages": HI} | given if isinstance(given, dict) else given
    with pytest.raises(InvalidRequest) as raised:
        parse(body)
    assert raised.value.status == 400
    assert raised.value.fields[0].field == field


def test_a_mistake_is_told_without_the_value() -> None:
    with pytest.raises(InvalidRequest) as raised:
        request(temperature="a secret prompt")
    assert "secret" not in str(raised.value)
    assert "temperature" in str(raised.value)


def test_what_is_passed_over_is_named() -> None:
    parsed = parse(
        {
            "messages": HI,
            "seed": 5,
            "user": "u",
            "logit_bias": None,
            "holograms": True,
            "stop": [" "],
            "metadata": {"ok": "yes", "bad": "{no}"},
            "response_format": {"type": "json_object"},
        }
    )
    assert parsed.dropped == ["seed", "user", "holograms", "response_format", "stop", "metadata.bad"]
    assert parsed.request.metadata == {"ok": "yes"}


def test_streaming_and_its_options() -> None:
    assert not parse({"messages": HI}).stream
    parsed = parse({"messages": HI, "stream": True, "stream_options": {"include_usage": True, "other": 1}})
    assert parsed.stream
    assert parsed.options == ChatOptions(include_usage=True)


def test_a_request_that_names_no_model_gets_the_default() -> None:
    assert parse({"messages": HI}, default_model_id="d").request.model_id == "d"
    assert request().model_id == "m"
