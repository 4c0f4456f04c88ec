"""Messages requests, in our terms."""

from base64 import b64encode
from typing import Any

import pytest

from service.dialects.anthropic_messages import parse
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
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ACT: dict[str, Any] = {"name": "act", "description": "Acts.", "input_schema": SCHEMA}
ACT_TOOL = Tool("act", SCHEMA, "Acts.")
CACHED = {"type": "ephemeral"}


def request(**members: Any) -> Request:
    return parse({"model": "m", "max_tokens": 9, "messages": HI} | members).request


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a limit": ({}, {"max_tokens": 9, "model_id": "m"}),
    "sampling": ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}),
    "stop sequences": ({"stop_sequences": ["END", " "]}, {"stop_sequences": ("END",)}),
    "a system": ({"system": "Be brief."}, {"system": (Text("Be brief."),)}),
    "a system with a cache point": (
        {
            "system": [
                {"type": "text", "text": "S", "cache_control": CACHED | {"ttl": "1h"}},
                {"type": "text", "text": "T"},
            ]
        },
        {"system": (Text("S"), CachePoint("1h"), Text("T"))},
    ),
    "tools with a cache point": (
        {"tools": [ACT, ACT | {"name": "look", "type": "custom", "strict": True, "cache_control": CACHED}]},
        {"tools": (ACT_TOOL, Tool("look", SCHEMA, "Acts.", strict=True), CachePoint())},
    ),
    "a choice by itself": (
        {"tools": [ACT], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": ToolChoice("auto"), "parallel_tool_calls": False},
    ),
    "some tool": ({"tools": [ACT], "tool_choice": {"type": "any"}}, {"tool_choice": ToolChoice("any")}),
    "no tool": ({"tools": [ACT], "tool_choice": {"type": "none"}}, {"tool_choice": ToolChoice("none")}),
    "one tool": (
        {"tools": [ACT], "tool_choice": {"type": "tool", "name": "act"}},
        {"tool_choice": ToolChoice("tool", "act"), "parallel_tool_calls": None},
    ),
    "thinking with a budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        {"reasoning": Reasoning(budget_tokens=2048)},
    ),
    "thinking at its own measure": (
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        {"reasoning": Reasoning(effort="high", display="summarized")},
    ),
    "no thinking": ({"thinking": {"type": "disabled"}}, {"reasoning": Reasoning(enabled=False)}),
    "effort alone": ({"output_config": {"effort": "max"}}, {"reasoning": Reasoning(effort="max")}),
    "a form for the answer": (
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_schema": SCHEMA},
    ),
    "a form where the beta had it": (
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"output_schema": SCHEMA},
    ),
    "whose request it is": ({"metadata": {"user_id": "u-1"}}, {"metadata": {"user_id": "u-1"}}),
    "everything so far cached": (
        {"cache_control": CACHED},
        {"messages": (Message("user", (Text("Hi"), CachePoint())),)},
    ),
}


@pytest.mark.parametrize(("given", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field(given: dict[str, Any], expected: dict[str, Any]) -> None:
    made = request(**given)
    assert {name: getattr(made, name) for name in expected} == expected


def test_without_a_limit_the_models_own_holds() -> None:
    assert parse({"messages": HI}, default_model_id="d").request == Request("d", (Message("user", (Text("Hi"),)),))


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


BLOCKS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "text": ({"type": "text", "text": "Hi"}, (Text("Hi"),)),
    "text, cached": (
        {"type": "text", "text": "Hi", "cache_control": CACHED | {"ttl": "5m"}},
        (Text("Hi"), CachePoint("5m")),
    ),
    "an image": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        (Image("image/png", "iVBORw0KGgo="),),
    ),
    "a document": (
        {
            "type": "document",
            "title": "The plan.pdf",
            "context": "A draft.",
            "citations": {"enabled": True},
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        },
        (Document("application/pdf", "JVBE", "The plan", "A draft.", citations=True),),
    ),
    "a document of text": (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Words."}},
        (Document("text/plain", encoded("Words.")),),
    ),
    "a document of blocks": (
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
        },
        (Document("text/plain", encoded("A\n\nB")),),
    ),
    "a document of one text": (
        {"type": "document", "source": {"type": "content", "content": "Words."}},
        (Document("text/plain", encoded("Words.")),),
    ),
    "a search result": (
        {
            "type": "search_result",
            "source": "https://oslo.example",
            "title": "Oslo",
            "content": [{"type": "text", "text": "It rains."}],
        },
        (Text("Oslo\nhttps://oslo.example\nIt rains."),),
    ),
    "a call": (
        {"type": "tool_use", "id": "a", "name": "act", "input": {"city": "Oslo"}},
        (ToolUse("a", "act", {"city": "Oslo"}),),
    ),
    "a result": ({"type": "tool_result", "tool_use_id": "a", "content": "Rain"}, (ToolResult("a", (Text("Rain"),)),)),
    "a result of nothing": ({"type": "tool_result", "tool_use_id": "a"}, (ToolResult("a"),)),
    "a result with an image, that failed, cached": (
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "is_error": True,
            "cache_control": CACHED,
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "tool_reference", "tool_name": "act"},
            ],
        },
        (
            ToolResult("a", (Text("Look:"), Image("image/png", "iVBORw0KGgo="), Text("act")), is_error=True),
            CachePoint(),
        ),
    ),
    "thinking": (
        {"type": "thinking", "thinking": "Hm.", "signature": "Eq"},
        (ReasoningBlock(text="Hm.", signature="Eq"),),
    ),
    "thinking of which only the signature is shown": (
        {"type": "thinking", "thinking": "", "signature": "Eq"},
        (ReasoningBlock(text="", signature="Eq"),),
    ),
    "thinking that nobody vouches for": (
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        (ReasoningBlock(text="Hm."),),
    ),
    "redacted thinking": ({"type": "redacted_thinking", "data": "b25l"}, (ReasoningBlock(redacted="b25l"),)),
}


@pytest.mark.parametrize(("given", "blocks"), BLOCKS.values(), ids=BLOCKS)
def test_a_block(given: dict[str, Any], blocks: tuple[Any, ...]) -> None:
    assert request(messages=[{"role": "user", "content": [given]}]).messages == (Message("user", blocks),)


def test_a_long_session_of_calls_stays_in_order() -> None:
    made = request(
        messages=[
            *HI,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "Eq"},
                    {"type": "text", "text": "Two at once."},
                    {"type": "tool_use", "id": "a", "name": "act", "input": {}},
                    {"type": "tool_use", "id": "b", "name": "act", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "2"}]},
            {"role": "system", "content": "Hurry."},
            {"role": "assistant", "content": "The answer is ("},
        ]
    )
    assert made.system == (Text("Hurry."),)
    assert made.messages == (
        Message("user", (Text("Hi"),)),
        Message(
            "assistant",
            (
                ReasoningBlock(text="Hm.", signature="Eq"),
                Text("Two at once."),
                ToolUse("a", "act", {}),
                ToolUse("b", "act", {}),
            ),
        ),
        Message("user", (ToolResult("a", (Text("1"),)), ToolResult("b", (Text("2"),)))),
        Message("assistant", (Text("The answer is ("),)),
    )


@pytest.mark.parametrize(
    ("kind", "name", "member"),
    [
        ("bash_20250124", "bash", "command"),
        ("text_editor_20250728", "str_replace_based_edit_tool", "insert_text"),
        ("memory_20250818", "memory", "new_path"),
    ],
)
def test_a_tool_that_the_client_runs_is_spelled_out(kind: str, name: str, member: str) -> None:
    (tool,) = request(tools=[{"type": kind, "name": name}]).tools
    assert isinstance(tool, Tool)
    assert tool.name == name
    assert member in tool.input_schema["properties"]


def block(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [members]}]}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": None}, "messages"),
    "nobody speaks": ({"messages": []}, "messages"),
    "an unknown role": ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    "a message of nothing": ({"messages": [{"role": "user"}]}, "messages.0.content"),
    "a cache warmed without an answer": ({"max_tokens": 0}, "max_tokens"),
    "an image elsewhere": (
        block(type="image", source={"type": "url", "url": "https://example.com/a.png"}),
        "messages.0.content.0.source.type",
    ),
    "a document that was uploaded": (
        block(type="document", source={"type": "file", "file_id": "file_1"}),
        "messages.0.content.0.source.type",
    ),
    "an image in broken base64": (
        block(type="image", source={"type": "base64", "media_type": "image/png", "data": "a"}),
        "messages.0.content.0.source.data",
    ),
    "an image without a source": (block(type="image"), "messages.0.content.0.source"),
    "an empty document": (
        block(type="document", source={"type": "text", "data": " "}),
        "messages.0.content.0.source.data",
    ),
    "a block of another service": (
        block(type="server_tool_use", id="a", name="web_search"),
        "messages.0.content.0.type",
    ),
    "a call without an id": (block(type="tool_use", name="act", input={}), "messages.0.content.0.id"),
    "an image from the system": (
        {
            "system": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
            ]
        },
        "system",
    ),
    "web search": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
    "a computer": ({"tools": [{"type": "computer_toolset_20260801"}]}, "tools.0.type"),
    "a tool without a schema": ({"tools": [{"name": "x"}]}, "tools.0.input_schema"),
    "a tool without a name": ({"tools": [{"input_schema": SCHEMA}]}, "tools.0.name"),
    "a choice that is not offered": ({"tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
    "a choice we do not know": ({"tool_choice": {"type": "maybe"}}, "tool_choice"),
    "servers of tools": ({"mcp_servers": [{"url": "https://example.com"}]}, "mcp_servers"),
    "thinking without a budget": ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    "thinking of an unknown kind": ({"thinking": {"type": "hard"}}, "thinking.type"),
    "an unknown effort": ({"output_config": {"effort": "heroic"}}, "output_config.effort"),
    "an unknown form": ({"output_config": {"format": {"type": "yaml"}}}, "output_config.format"),
}


@pytest.mark.parametrize(("given", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_with_the_name_of_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        request(**given)
    assert raised.value.status == 400
    assert raised.value.fields[0].field == field


def test_a_tool_that_bedrock_lacks_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="web_search_20250305"):
        request(tools=[{"type": "web_search_20250305", "name": "web_search"}])


def test_betas_are_passed_on_but_for_those_that_bedrock_refuses() -> None:
    parsed = parse(
        {"messages": HI, "betas": ["context-1m-2025-08-07"]},
        betas=["interleaved-thinking-2025-05-14, claude-code-20250219", "context-1m-2025-08-07,oauth-2025-04-20"],
    )
    assert parsed.request.beta == ("interleaved-thinking-2025-05-14", "context-1m-2025-08-07")
    assert parsed.dropped == ["anthropic-beta: claude-code-20250219", "anthropic-beta: oauth-2025-04-20"]


def test_what_is_passed_over_is_named() -> None:
    parsed = parse(
        {"messages": HI, "service_tier": "auto", "context_management": {"edits": []}, "metadata": {"user_id": "{}"}}
    )
    assert parsed.dropped == ["service_tier", "context_management", "metadata.user_id"]


def test_thinking_between_tools_is_the_models_own_measure() -> None:
    parsed = parse({"messages": HI, "thinking": {"type": "between_tools"}})
    assert parsed.request.reasoning == Reasoning()
    assert parsed.dropped == ["thinking.type"]


def test_streaming() -> None:
    assert parse({"messages": HI, "stream": True}).stream
    assert not parse({"messages": HI}).stream
