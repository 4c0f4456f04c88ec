"""Responses requests, in our terms."""

from typing import Any

import pytest

from service.dialects import openai_responses
from service.dialects.openai_responses import References, parse, references
from service.errors import InvalidRequest
from service.generation import (
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
from tests.dialects.answers import ANSWERS, HEADING

HI = Message("user", (Text("Hi"),))
PNG = "data:image/png;base64,iVBORw0KGgo="
ACT: dict[str, Any] = {"type": "function", "name": "act", "parameters": {"type": "object"}, "strict": True}
SCHEMA = {"type": "object", "properties": {}}


def request(**members: Any) -> Request:
    return parse({"model": "m", "input": "Hi"} | members).request


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a text": ({}, {"messages": (HI,), "max_tokens": None, "model_id": "m"}),
    "instructions": ({"instructions": "Be brief."}, {"system": (Text("Be brief."),)}),
    "a limit": ({"max_output_tokens": 5}, {"max_tokens": 5}),
    "sampling": ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
    "tools": ({"tools": [ACT]}, {"tools": (Tool("act", {"type": "object"}, None, strict=True),)}),
    "one tool": (
        {"tools": [ACT], "tool_choice": {"type": "function", "name": "act"}},
        {"tool_choice": ToolChoice("tool", "act")},
    ),
    "some tool": ({"tools": [ACT], "tool_choice": "required"}, {"tool_choice": ToolChoice("any")}),
    "allowed tools": (
        {
            "tools": [ACT, ACT | {"name": "look"}],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "act"}]},
        },
        {"tools": (Tool("act", {"type": "object"}, None, strict=True),), "tool_choice": ToolChoice("auto")},
    ),
    "effort": ({"reasoning": {"effort": "low"}}, {"reasoning": Reasoning(effort="low")}),
    "a form for the answer": (
        {"text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}, "verbosity": "low"}},
        {"output_schema": SCHEMA, "output_schema_name": "city"},
    ),
    "metadata": ({"metadata": {"team": "blue"}}, {"metadata": {"team": "blue"}}),
}


@pytest.mark.parametrize(("given", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field(given: dict[str, Any], expected: dict[str, Any]) -> None:
    made = request(**given)
    assert {name: getattr(made, name) for name in expected} == expected


INPUTS: dict[str, tuple[list[dict[str, Any]], tuple[Message, ...]]] = {
    "messages with and without a type": (
        [
            {"role": "user", "content": "Hi"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go."}]},
        ],
        (HI, Message("assistant", (Text("Yes?"),)), Message("user", (Text("Go."),))),
    ),
    "images and files": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": PNG},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                    {"type": "input_text", "text": "What?"},
                ],
            }
        ],
        (
            Message(
                "user",
                (Image("image/png", "iVBORw0KGgo="), Document("application/pdf", "JVBE", "a"), Text("What?")),
            ),
        ),
    ),
    "calls and their results": (
        [
            {"role": "user", "content": "Hi"},
            {"type": "function_call", "call_id": "a", "name": "act", "arguments": '{"x":1}'},
            {"type": "function_call", "call_id": "b", "name": "act", "arguments": ""},
            {"type": "function_call_output", "call_id": "a", "output": "one"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "two"}]},
        ],
        (
            HI,
            Message("assistant", (ToolUse("a", "act", {"x": 1}), ToolUse("b", "act", {}))),
            Message("user", (ToolResult("a", (Text("one"),)), ToolResult("b", (Text("two"),)))),
        ),
    ),
    "reasoning of ours, of others, and of nobody": (
        [
            {"role": "user", "content": "Hi"},
            {
                "type": "reasoning",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "Hm."}],
                "encrypted_content": "signature:Eq",
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "So."}], "encrypted_content": "gAAAA"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Ah."}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "redacted:b25l"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Hi"},
        ],
        (
            HI,
            Message(
                "assistant",
                (
                    ReasoningBlock(text="Hm.", signature="Eq"),
                    ReasoningBlock(text="Ah."),
                    ReasoningBlock(redacted="b25l"),
                    Text("Yes."),
                ),
            ),
            HI,
        ),
    ),
}


@pytest.mark.parametrize(("given", "messages"), INPUTS.values(), ids=INPUTS)
def test_an_input(given: list[dict[str, Any]], messages: tuple[Message, ...]) -> None:
    assert request(input=given).messages == messages


def test_the_system_speaks_after_the_instructions() -> None:
    made = request(
        instructions="First.", input=[{"role": "developer", "content": "Second."}, {"role": "user", "content": "Hi"}]
    )
    assert made.system == (Text("First."), Text("Second."))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a number for the input": ({"input": 5}, "input"),
    "nothing said": ({"input": ""}, "messages"),
    "an item of another service": ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0.type"),
    "a message of nobody": ({"input": [{"type": "message", "role": "tool", "content": "x"}]}, "input.0.role"),
    "a part that is none": ({"input": [{"role": "user", "content": [5]}]}, "input.0.content.0"),
    "a call without its id": ({"input": [{"type": "function_call", "name": "x"}]}, "input.0.call_id"),
    "a tool of OpenAI's own": ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
    "a tool in a wrong shape": ({"tools": [{"type": "function", "name": 5}]}, "tools.0.name"),
    "an item nobody stored": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.id"),
    "a conversation": ({"conversation": "conv_1"}, "conversation"),
    "a stored prompt": ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    "in the background but not stored": ({"background": True, "store": False}, "store"),
    "an unknown effort": ({"reasoning": {"effort": "heroic"}}, "reasoning.effort"),
    "no tokens": ({"max_output_tokens": 0}, "max_output_tokens"),
}


@pytest.mark.parametrize(("given", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_with_the_name_of_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse({"input": "Hi"} | given)
    assert raised.value.status == 400
    assert raised.value.fields[0].field == field


def test_what_a_request_refers_to_is_found() -> None:
    given = {
        "previous_response_id": "resp_0",
        "input": [
            {"type": "item_reference", "id": "msg_1"},
            {"id": "rs_2"},
            {"id": "fc_3", "type": None},
            {"role": "user", "content": "Hi", "id": "msg_4"},
        ],
    }
    assert references(given) == References("resp_0", ("msg_1", "rs_2", "fc_3"))
    assert references({"input": "Hi"}) == References(None, ())


def test_an_item_that_is_referred_to_stands_in_its_place() -> None:
    stored = {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "content": [{"type": "output_text", "text": "Yes?"}],
    }
    given = {"input": [{"role": "user", "content": "Hi"}, {"id": "msg_1"}, {"role": "user", "content": "Go."}]}
    assert parse(given, items={"msg_1": stored}).request.messages == (
        HI,
        Message("assistant", (Text("Yes?"),)),
        Message("user", (Text("Go."),)),
    )


def test_a_conversation_goes_on_from_what_was_stored() -> None:
    first = parse({"input": "Hi", "instructions": "Be brief."})
    output = openai_responses.whole(HEADING, first.options, ANSWERS["reasoning with its signature, a text and a call"])[
        "output"
    ]
    second = parse(
        {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "Rain"}]},
        earlier=[*first.input, *output],
    )
    assert second.request.system == ()  # instructions hold for one response
    assert second.request.messages == (
        HI,
        Message(
            "assistant",
            (
                ReasoningBlock(text="I should call the tool.", signature="EqoBCkgI"),
                Text("Let me look."),
                ToolUse("call_1", "get_weather", {"city": "Oslo"}),
            ),
        ),
        Message("user", (ToolResult("call_1", (Text("Rain"),)),)),
    )
    assert len(second.input) == 5


def test_redacted_reasoning_comes_back_as_it_went() -> None:
    output = openai_responses.whole(HEADING, None, ANSWERS["reasoning that was redacted, and some that was not"])[
        "output"
    ]
    again = parse({"input": [{"role": "user", "content": "Hi"}, *output]}).request
    assert again.messages[1].content == (
        ReasoningBlock(redacted="b25l"),
        ReasoningBlock(redacted="dHdv"),
        ReasoningBlock(text="Now I see."),
        Text("Done."),
    )


def test_what_is_passed_over_is_named() -> None:
    assert parse({"input": "Hi", "include": ["x"], "truncation": "auto", "user": None}).dropped == [
        "include",
        "truncation",
    ]


def test_a_response_is_stored_unless_it_must_not_be() -> None:
    assert parse({"input": "Hi"}).store
    assert not parse({"input": "Hi", "store": False}).store
    parsed = parse({"input": "Hi", "background": True, "stream": True})
    assert (parsed.background, parsed.stream, parsed.options.background) == (True, True, True)
