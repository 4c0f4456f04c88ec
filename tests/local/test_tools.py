"""Tools are called if the prompt asks for them, in the format of each family."""

import json
from typing import Any

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer

from service.bedrock.catalog.resolution import MODELS
from tests.local.bedrock import CLAUDE, Bedrock, Json, assistant, blocks_of, text_of, user

NOVA = "us.amazon.nova-pro-v1:0"
SERIES = {model.series: model for model in MODELS}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
}
WEATHER = {"name": "get_weather", "description": "The weather of a city", "inputSchema": {"json": SCHEMA}}
CLOCK = {"name": "tell_time", "description": "The hour in a place", "inputSchema": {"json": {"type": "object"}}}
TOOLS = {"tools": [{"toolSpec": WEATHER}, {"toolSpec": CLOCK}]}
ABLE = [model for model in SERIES.values() if model.on("converse").tools and model.on("converse").tools_streaming]


def calls_of(events: list[Json]) -> list[tuple[str, Any]]:
    return [(block["toolUse"]["name"], json.loads(block["input"])) for block in blocks_of(events) if "toolUse" in block]


@pytest.mark.parametrize("model", ABLE, ids=lambda model: model.series)
def test_every_model_with_tools_calls_one_on_converse(bedrock: Bedrock, model: Any) -> None:
    events = bedrock.stream(model.names[0], "How is the weather in Oslo, in fahrenheit?", toolConfig=TOOLS)

    assert calls_of(events) == [("get_weather", {"city": "Oslo", "unit": "fahrenheit"})]
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


def test_an_unrelated_tool_is_not_called(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="Why do cats purr?", toolConfig=TOOLS)

    assert calls_of(events) == []
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"


def test_a_tool_is_called_twice_for_two_subjects(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="Compare the weather of both Oslo and Bergen in celsius", toolConfig=TOOLS)

    assert [arguments["city"] for _, arguments in calls_of(events)] == ["Oslo", "Bergen"]
    ids = [block["toolUse"]["toolUseId"] for block in blocks_of(events) if "toolUse" in block]
    assert len(set(ids)) == 2


def test_two_tools_are_called_for_a_prompt_about_both(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="Tell me the weather and the hour in Oslo", toolConfig=TOOLS)

    assert [name for name, _ in calls_of(events)] == ["get_weather", "tell_time"]


@pytest.mark.parametrize(
    ("choice", "name"), [({"any": {}}, "get_weather"), ({"tool": {"name": "tell_time"}}, "tell_time")]
)
def test_a_forced_tool_is_called_without_text(bedrock: Bedrock, choice: Json, name: str) -> None:
    events = bedrock.stream(prompt="Hello", toolConfig=TOOLS | {"toolChoice": choice})

    assert [called for called, _ in calls_of(events)] == [name]
    assert text_of(events) == ""


def test_the_answer_mentions_a_tool_result(bedrock: Bedrock) -> None:
    answer = bedrock.converse(prompt="How is the weather in Oslo?", toolConfig=TOOLS)["output"]["message"]
    id_ = next(block["toolUse"]["toolUseId"] for block in answer["content"] if "toolUse" in block)
    result = {"toolResult": {"toolUseId": id_, "content": [{"json": {"temperature": 21, "sky": "clear"}}]}}

    events = bedrock.stream(messages=[user("How is the weather in Oslo?"), answer, user(result)], toolConfig=TOOLS)

    assert "temperature is 21, sky is clear" in text_of(events)
    assert calls_of(events) == []


@pytest.mark.parametrize(("result", "part"), [("Sunny", "answered: Sunny"), ("[1, 2]", "answered: [1, 2]")])
def test_the_answer_mentions_a_tool_result_in_another_form(bedrock: Bedrock, result: str, part: str) -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "get_weather", "input": {}}}
    answer = {"toolResult": {"toolUseId": "t", "content": [{"text": result}]}}

    events = bedrock.stream(messages=[user("The weather?"), assistant(call), user(answer)], toolConfig=TOOLS)

    assert part in text_of(events)


def test_the_answer_mentions_a_failed_tool(bedrock: Bedrock) -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "get_weather", "input": {}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": "no network"}], "status": "error"}}

    events = bedrock.stream(messages=[user("The weather?"), assistant(call), user(result)], toolConfig=TOOLS)

    assert "The tool failed: no network" in text_of(events)


def test_claude_begins_a_call_with_an_empty_piece(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="The weather in Oslo?", toolConfig=TOOLS)

    pieces = [piece for event in events if (piece := _input(event)) is not None]
    assert pieces[0] == ""
    assert len(pieces) > 3


def test_nova_sends_the_arguments_in_one_piece(bedrock: Bedrock) -> None:
    events = bedrock.stream(NOVA, "The weather in Oslo?", toolConfig=TOOLS)

    pieces = [piece for event in events if (piece := _input(event)) is not None]
    assert len(pieces) == 1
    assert "<thinking>" in text_of(events)


def _input(event: Json) -> str | None:
    tool = event.get("contentBlockDelta", {}).get("delta", {}).get("toolUse")
    return None if tool is None else str(tool["input"])


def test_the_token_limit_can_cut_a_call(bedrock: Bedrock) -> None:
    events = bedrock.stream(
        prompt="The weather in Oslo?", toolConfig=TOOLS | {"toolChoice": {"any": {}}}, inferenceConfig={"maxTokens": 5}
    )

    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert blocks_of(events)[0]["input"].startswith("{")


def test_claude_calls_tools_on_invoke(bedrock: Bedrock) -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "The weather in Oslo and Bergen, both please"}],
        "tools": [{"name": "get_weather", "description": "The weather of a city", "input_schema": SCHEMA}],
    }

    chunks = bedrock.chunks(CLAUDE, body)
    alone = bedrock.invoke(CLAUDE, body | {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}})
    none = bedrock.invoke(CLAUDE, body | {"tool_choice": {"type": "none"}})

    starts = [chunk["content_block"] for chunk in chunks if chunk["type"] == "content_block_start"]
    assert [start["type"] for start in starts] == ["text", "tool_use", "tool_use"]
    assert all(start["id"].startswith("toolu_bdrk_") for start in starts[1:])
    assert chunks[-2]["delta"]["stop_reason"] == "tool_use"
    assert [block["type"] for block in alone["content"]] == ["text", "tool_use"]
    assert [block["type"] for block in none["content"]] == ["text"]


def test_a_whole_answer_of_nova_has_its_calls_on_invoke(bedrock: Bedrock) -> None:
    answer = bedrock.invoke(NOVA, {"messages": [user("The weather in Oslo?")], "toolConfig": TOOLS})

    (call,) = [block["toolUse"] for block in answer["output"]["message"]["content"] if "toolUse" in block]
    assert call["input"]["city"] == "Oslo"
    assert answer["stopReason"] == "tool_use"


def test_nova_redacts_its_reasoning_on_invoke(bedrock: Bedrock) -> None:
    body = {"messages": [user("Hi")], "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}

    chunks = bedrock.chunks("us.amazon.nova-2-lite-v1:0", body)

    assert chunks[1]["contentBlockDelta"]["delta"] == {"reasoningContent": {"text": "[REDACTED]"}}


def test_nova_omits_an_index_after_a_call_on_invoke(bedrock: Bedrock) -> None:
    body = {"messages": [user("The weather of both Oslo and Bergen")], "toolConfig": TOOLS}

    chunks = bedrock.chunks(NOVA, body)

    starts = [chunk["contentBlockStart"] for chunk in chunks if "contentBlockStart" in chunk]
    assert starts[1]["contentBlockIndex"] == starts[0]["contentBlockIndex"] + 2
    assert len(starts[0]["start"]["toolUse"]["toolUseId"]) == 36
    texts = [
        chunk["contentBlockDelta"] for chunk in chunks if "text" in chunk.get("contentBlockDelta", {}).get("delta", {})
    ]
    assert [delta["contentBlockIndex"] for delta in texts] == list(range(len(texts)))


@pytest.mark.parametrize("series", ["gpt_oss", "gpt", "jamba", "qwen", "kimi", "mistral_chat"])
def test_a_chat_calls_tools_on_invoke(bedrock: Bedrock, series: str) -> None:
    model = SERIES[series]
    function = {"name": "get_weather", "description": "The weather of a city", "parameters": SCHEMA}
    messages: list[Json] = [{"role": "user", "content": "The weather in Oslo?"}]
    body = {"messages": messages, "tools": [{"type": "function", "function": function}]}

    whole = bedrock.invoke(model.names[0], body)["choices"][0]
    chunks = bedrock.chunks(model.names[0], body)

    (call,) = whole["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["city"] == "Oslo"
    assert call["id"].startswith("functions.get_weather:0" if series == "kimi" else "call_")
    assert "tool_calls" in {whole.get("finish_reason"), whole.get("stop_reason")}
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    pieces = [
        piece
        for choice in choices
        for piece in (choice.get("delta") or choice.get("message") or {}).get("tool_calls", ())
    ]
    assert json.loads("".join(piece["function"]["arguments"] for piece in pieces)) == json.loads(
        call["function"]["arguments"]
    )

    answered = [
        *messages,
        whole["message"],
        {"role": "tool", "tool_call_id": call["id"], "content": '{"sky": "clear"}'},
    ]
    again = bedrock.invoke(model.names[0], body | {"messages": answered})
    assert "sky is clear" in again["choices"][0]["message"]["content"]


def test_command_r_calls_tools_on_invoke(bedrock: Bedrock) -> None:
    model = SERIES["command_r"].names[0]
    parameters = {"city": {"type": "str", "description": "A city", "required": True}}
    tools = [{"name": "get_weather", "description": "The weather of a city", "parameter_definitions": parameters}]
    body = {"message": "The weather in Oslo?", "tools": tools}

    whole = bedrock.invoke(model, body)
    chunks = bedrock.chunks(model, body)
    call = {"name": "get_weather", "parameters": {"city": "Oslo"}}
    results = [{"call": call, "outputs": [{"sky": "clear"}]}]
    after = bedrock.invoke(model, body | {"tool_results": results})
    silent = bedrock.invoke(model, body | {"message": "", "tool_results": results})

    assert whole["tool_calls"] == [call]
    assert chunks[-1]["response"]["tool_calls"] == [call]
    assert any(chunk["event_type"] == "tool-calls-generation" for chunk in chunks)
    assert "sky is clear" in after["text"]
    assert "sky is clear" in silent["text"]


@pytest.mark.parametrize("name", ["nova_code_interpreter", "nova_grounding"])
def test_bedrock_runs_the_system_tools_of_nova(url: str, name: str) -> None:
    prompt = "Compute 6*7 with code, grounding what you say"
    body = {"messages": [user(prompt)], "toolConfig": {"tools": [{"systemTool": {"name": name}}]}}
    path = f"{url}/model/us.amazon.nova-2-lite-v1:0/converse"

    answer = httpx.post(path, json=body, trust_env=False).json()
    buffer = EventStreamBuffer()
    buffer.add_data(httpx.post(f"{path}-stream", json=body, trust_env=False).content)
    frames = [(message.headers[":event-type"], json.loads(message.payload)) for message in buffer]

    kinds = [next(iter(block)) for block in answer["output"]["message"]["content"]]
    assert kinds[-3:] == ["toolUse", "toolResult", "text"]
    assert answer["stopReason"] == "end_turn"
    starts = [payload["start"] for kind, payload in frames if kind == "contentBlockStart"]
    assert starts[0]["toolUse"]["type"] == "server_tool_use"
    assert starts[1]["toolResult"]["type"] == f"{name}_result"
    results = [payload["delta"]["toolResult"] for _, payload in frames if "toolResult" in payload.get("delta", {})]
    assert results == [answer["output"]["message"]["content"][-2]["toolResult"]["content"]]


@pytest.mark.parametrize("series", ["claude_3", "nova_1"])
def test_a_cut_call_of_a_whole_answer_has_no_arguments(bedrock: Bedrock, series: str) -> None:
    tools: Json = TOOLS | {"toolChoice": {"any": {}}}

    answer = bedrock.converse(SERIES[series].names[0], toolConfig=tools, inferenceConfig={"maxTokens": 3})

    assert answer["output"]["message"]["content"][0]["toolUse"]["input"] == {}
