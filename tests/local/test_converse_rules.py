"""The local Bedrock rejects the Converse requests that Bedrock rejects, with the same messages."""

from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.local.bedrock import CLAUDE, Bedrock, Json, assistant, rejected, user

CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA4 = "us.meta.llama4-scout-17b-instruct-v1:0"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
OPUS_5_5 = "global.anthropic.claude-opus-5-5"
SONNET_4_6 = "global.anthropic.claude-sonnet-4-6"
GPT_OSS = "openai.gpt-oss-120b-1:0"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x08"


def tool(name: str = "get_weather", schema: Any = None) -> Json:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}} if schema is None else schema
    return {"toolSpec": {"name": name, "description": "The weather of a city", "inputSchema": {"json": schema}}}


IMAGE = {"image": {"format": "png", "source": {"bytes": PNG}}}
TOOLS = {"tools": [tool()]}
CALL = {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Oslo"}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "Sunny"}]}}
OTHER_RESULT = {"toolResult": {"toolUseId": "t2", "content": [{"text": "Sunny"}]}}
DOCUMENT = {"document": {"name": "notes", "format": "txt", "source": {"bytes": b"Water rises."}}}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}

INVALID: dict[str, tuple[str, Json, str]] = {
    "no messages": (CLAUDE, {"messages": []}, "messages"),
    "an assistant's message first, Nova": (
        NOVA, {"messages": [assistant("Hi"), user("Hi")]}, "must start with a user message"
    ),
    "a message without content": (
        CLAUDE, {"messages": [user("Hi"), assistant("Yes?"), user()]},
        "content field in the Message object at messages.2 is empty",
    ),
    "a blank text": (
        CLAUDE, {"messages": [user(" \n")]}, "text field in the ContentBlock object at messages.0.content.0 is blank"
    ),
    "a document without a text": (
        CLAUDE, {"messages": [user(DOCUMENT)]}, "text block must be included when using documents"
    ),
    "a document's name with a dot": (
        CLAUDE, {"messages": [user("Read", {"document": DOCUMENT["document"] | {"name": "a.txt"}})]}, "file name",
    ),
    "tool blocks without tools": (
        CLAUDE, {"messages": [user("Hi"), assistant(CALL), user(RESULT)]},
        "toolConfig field must be defined when using toolUse and toolResult",
    ),
    "a tool call without a result": (
        CLAUDE, {"messages": [user("Hi"), assistant(CALL), user("Well?")], "toolConfig": TOOLS},
        "Expected toolResult blocks at messages.2.content for the following Ids: t1",
    ),
    "a result of an unknown tool call": (
        CLAUDE, {"messages": [user("Hi"), assistant(CALL), user(RESULT, OTHER_RESULT)], "toolConfig": TOOLS}, "exceeds",
    ),
    "a result in the first message": (CLAUDE, {"messages": [user(RESULT)], "toolConfig": TOOLS}, "exceeds"),
    "a schema of another type than object": (
        CLAUDE, {"toolConfig": {"tools": [tool(schema={"type": "string"})]}}, "must be one of the following: object"
    ),
    "a choice of an unknown tool": (
        CLAUDE, {"toolConfig": TOOLS | {"toolChoice": {"tool": {"name": "other"}}}}, "not in toolConfig.tools"
    ),
    "a Nova schema with $defs": (
        NOVA, {"toolConfig": {"tools": [tool(schema={"type": "object", "$defs": {}})]}},
        "extraneous key [$defs] is not permitted",
    ),
    "a prefill for Claude 4.6": (
        SONNET_4_6, {"messages": [user("Hi"), assistant("Hel")]}, "does not support assistant message prefill"
    ),
    "a prefill that ends in a space": (
        CLAUDE, {"messages": [user("Hi"), assistant("Hello ")]}, "cannot end with trailing whitespace"
    ),
    "a prefill with thinking": (
        CLAUDE, {"messages": [user("Hi"), assistant("Hello")], "additionalModelRequestFields": THINKING,
                 "inferenceConfig": {"maxTokens": 2000}}, "prefill",
    ),
    "stop sequences for gpt-oss": (
        GPT_OSS, {"inferenceConfig": {"stopSequences": ["x"]}}, "doesn't support the stopSequences field"
    ),
    "a temperature for Opus 5.5": (
        OPUS_5_5, {"inferenceConfig": {"temperature": 0.5}}, "doesn't support the temperature field"
    ),
    "a temperature with thinking": (
        CLAUDE, {"inferenceConfig": {"temperature": 0.5, "maxTokens": 2000}, "additionalModelRequestFields": THINKING},
        "temperature",
    ),
    "a forced tool with thinking": (
        CLAUDE, {"toolConfig": TOOLS | {"toolChoice": {"any": {}}}, "additionalModelRequestFields": THINKING,
                 "inferenceConfig": {"maxTokens": 2000}}, "when tool_choice forces tool use",
    ),
    "a forced tool for a model that always thinks": (
        OPUS_5_5, {"toolConfig": TOOLS | {"toolChoice": {"any": {}}}}, "toolChoice"
    ),
    "a thinking budget below the minimum": (
        CLAUDE, {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1000}}},
        "greater than or equal to 1024",
    ),
    "a thinking budget above the token limit": (
        CLAUDE, {"additionalModelRequestFields": THINKING, "inferenceConfig": {"maxTokens": 1024}},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "a budget for adaptive thinking": (OPUS_5_5, {"additionalModelRequestFields": THINKING}, "adaptive"),
    "additional fields of another type": (CLAUDE, {"additionalModelRequestFields": [1]}, "must be a JSON object"),
    "a field that Titan does not have": (
        "amazon.titan-text-express-v1", {"additionalModelRequestFields": {"top_k": 3}}, "extraneous key [top_k]"
    ),
    "a top_k for Opus 5.5": (OPUS_5_5, {"additionalModelRequestFields": {"top_k": 3}}, "top_k is not supported"),
    "a top_k with thinking": (
        CLAUDE, {"additionalModelRequestFields": THINKING | {"top_k": 3}, "inferenceConfig": {"maxTokens": 2000}},
        "`top_k` must be unset",
    ),
    "a low top_p with thinking": (
        CLAUDE, {"additionalModelRequestFields": THINKING, "inferenceConfig": {"maxTokens": 2000, "topP": 0.5}},
        "`top_p` must be greater",
    ),
    "thinking for a model without thinking": (
        CLAUDE_3, {"additionalModelRequestFields": THINKING}, "does not support thinking"
    ),
    "thinking of an unknown kind": (
        CLAUDE, {"additionalModelRequestFields": {"thinking": {"type": "deep"}}}, "'deep' is not supported"
    ),
    "reasoning for Nova 1": (
        NOVA, {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled"}}}, "extraneous key"
    ),
    "reasoning of an unknown kind, Nova 2": (
        NOVA_2, {"additionalModelRequestFields": {"reasoningConfig": {"type": "on"}}}, "#/reasoningConfig/type"
    ),
    "reasoning of an unknown effort, Nova 2": (
        NOVA_2, {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "max"}}},
        "#/reasoningConfig/maxReasoningEffort",
    ),
    "an effort for MiniMax": (
        "minimax.minimax-m2", {"additionalModelRequestFields": {"reasoning_effort": "high"}}, "the reasoning field"
    ),
    "a low effort for DeepSeek V3.2": (
        "deepseek.v3.2", {"additionalModelRequestFields": {"reasoning_effort": "low"}}, "high is the only value"
    ),
    "an unknown effort": (
        GPT_OSS, {"additionalModelRequestFields": {"reasoning_effort": "utter"}}, "'utter' is not one of"
    ),
    "a blank stop sequence": (CLAUDE, {"inferenceConfig": {"stopSequences": [" "]}}, "must contain non-whitespace"),
    "a status for Writer": (
        "us.writer.palmyra-x5-v1:0",
        {"messages": [user("Hi"), assistant(CALL), user({"toolResult": RESULT["toolResult"] | {"status": "error"}})],
         "toolConfig": TOOLS},
        "doesn't support the status field",
    ),
    "too many images": (CLAUDE, {"messages": [user("See", *[IMAGE] * 21)]}, "too many images: 21 > 20"),
    "too many documents": (CLAUDE, {"messages": [user("Read", *[DOCUMENT] * 6)]}, "too many documents: 6 > 5"),
    "an image too large": (
        CLAUDE, {"messages": [user("See", {"image": {"format": "png", "source": {"bytes": PNG + bytes(3_750_000)}}})]},
        "image exceeds",
    ),
    "a document too large": (
        CLAUDE,
        {"messages": [user("Read", {"document": DOCUMENT["document"] | {"source": {"bytes": bytes(4_500_010)}}})]},
        "document exceeds",
    ),
    "an unknown additional field": (
        CLAUDE, {"additionalModelRequestFields": {"foo": 1}}, "foo: Extra inputs are not permitted"
    ),
    "an unknown additional field, Nova": (
        NOVA, {"additionalModelRequestFields": {"foo": 1}}, "extraneous key [foo] is not permitted"
    ),
    "a system text for Mistral 7B": (MISTRAL, {"system": [{"text": "Be kind"}]}, "doesn't support system messages"),
    "tools for Mistral 7B": (MISTRAL, {"toolConfig": TOOLS}, "doesn't support tool use"),
    "an image for Nova Micro": (
        "us.amazon.nova-micro-v1:0",
        {"messages": [user("See", {"image": {"format": "png", "source": {"bytes": PNG}}})]},
        "doesn't support the image content block",
    ),
    "a file that is not an image": (
        CLAUDE, {"messages": [user("See", {"image": {"format": "png", "source": {"bytes": b"GIF89a"}}})]},
        "Could not process image",
    ),
    "an S3 location": (
        CLAUDE,
        {"messages": [user("See", {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://a/b"}}}})]},
        "Remove s3Uri and try again",
    ),
    "history for Command": (
        "cohere.command-text-v14", {"messages": [user("Hi"), assistant("Hello"), user("Well?")]}, "one user message"
    ),
    "more tokens than the model's limit": (
        CLAUDE, {"inferenceConfig": {"maxTokens": 10_000_000}}, "exceeds the model limit of"
    ),
    "citations, Nova": (
        NOVA, {"messages": [user("Read", {"document": DOCUMENT["document"] | {"citations": {"enabled": True}}})]},
        "citations",
    ),
    "a prompt beyond the context": (
        "cohere.command-text-v14", {"messages": [user("water " * 5000)]}, "Input is too long for requested model"
    ),
    "a prompt beyond Claude's context": (CLAUDE, {"messages": [user("water " * 250_000)]}, "prompt is too long"),
    "a guardrail without a version": (
        CLAUDE, {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": ""}}, "guardrailVersion"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "extra", "part"), INVALID.values(), ids=INVALID)
def test_an_invalid_request_is_rejected_whole_and_streamed(
    bedrock: Bedrock, model: str, extra: Json, part: str
) -> None:
    with rejected(part):
        bedrock.converse(model, **extra)
    with rejected(part):
        bedrock.stream(model, **extra)


def test_llama_rejects_tools_only_in_a_stream(bedrock: Bedrock) -> None:
    with rejected("doesn't support tool use in streaming mode"):
        bedrock.stream(LLAMA4, toolConfig=TOOLS)

    assert bedrock.converse(LLAMA4, "The weather of Oslo?", toolConfig=TOOLS)["stopReason"] == "tool_use"


def test_llama_rejects_a_tool_result_beside_other_blocks(bedrock: Bedrock) -> None:
    messages = [user("The weather?"), assistant(CALL), user(RESULT, "And now?")]

    with rejected("alone in its message"):
        bedrock.converse(LLAMA4, messages=messages, toolConfig=TOOLS)


def test_an_answer_before_tool_results_must_start_with_its_reasoning(bedrock: Bedrock) -> None:
    messages = [user("The weather?"), assistant(CALL), user(RESULT)]

    with rejected("Expected `thinking` or `redacted_thinking`, but found `tool_use`"):
        bedrock.converse(
            messages=messages, toolConfig=TOOLS, additionalModelRequestFields=THINKING,
            inferenceConfig={"maxTokens": 2000},
        )  # fmt: skip


def test_changed_reasoning_is_rejected(bedrock: Bedrock) -> None:
    answer = bedrock.converse(additionalModelRequestFields=THINKING, inferenceConfig={"maxTokens": 4000})
    message = answer["output"]["message"]

    assert bedrock.converse(messages=[user("Hi"), message, user("Go on")])["stopReason"] == "end_turn"

    message["content"][0]["reasoningContent"]["reasoningText"]["text"] += "!"
    with rejected("Invalid `signature` in `thinking` block"):
        bedrock.converse(messages=[user("Hi"), message, user("Go on")])


def test_claude_accepts_an_assistant_message_first_and_repeated_roles(bedrock: Bedrock) -> None:
    messages = [assistant("Welcome."), user("Hi"), user("Are you there?")]

    assert bedrock.converse(messages=messages)["stopReason"] == "end_turn"


INVALID_BODIES: dict[str, tuple[Any, str]] = {
    "not JSON": (b"{", "Malformed input request"),
    "a list": (b"[]", "the request"),
    "an unknown member": (b'{"messages":[],"foo":1}', "foo is not known"),
    "a wrong type": (b'{"messages":[{"role":"user","content":"Hi"}]}', "messages.0.content"),
    "a missing member": (b'{"messages":[{"role":"user"}]}', "messages.0.content is required"),
    "not base64": (
        b'{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"!"}}}]}]}',
        "base64",
    ),
    "a block with two members": (
        b'{"messages":[{"role":"user","content":[{"text":"a","cachePoint":{"type":"default"}}]}]}',
        "must set one of the following keys",
    ),
    "a temperature above one": (
        b'{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"temperature":1.5}}',
        "<= 1.0",
    ),
}


@pytest.mark.parametrize(("body", "part"), INVALID_BODIES.values(), ids=INVALID_BODIES)
def test_a_body_that_the_sdk_would_not_send_is_rejected(url: str, body: bytes, part: str) -> None:
    response = httpx.post(f"{url}/model/{CLAUDE}/converse", content=body, trust_env=False)

    assert response.status_code == 400
    assert part in response.json()["message"]
    assert response.headers["x-amzn-errortype"].startswith("ValidationException:")
    assert response.headers["x-amzn-requestid"]


UNAVAILABLE_IDS: dict[str, tuple[str, str]] = {
    "an unknown id": ("anthropic.claude-9", "The provided model identifier is invalid."),
    "not an id": ("wells", "The provided model identifier is invalid."),
    "a base id of a model with profiles only": (
        "anthropic.claude-haiku-4-5-20251001-v1:0", "with on-demand throughput isn't supported"
    ),
    "a profile of another region": (
        "jp.anthropic.claude-opus-4-1-20250805-v1:0", "The provided model identifier is invalid."
    ),
    "an ARN of a base model with profiles only": (
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0", "on-demand throughput isn't supported"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "part"), UNAVAILABLE_IDS.values(), ids=UNAVAILABLE_IDS)
def test_an_unavailable_id_is_rejected(bedrock: Bedrock, model: str, part: str) -> None:
    with rejected(part):
        bedrock.stream(model)


ARNS = (
    f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcdefghijkl",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:provisioned-model/abcdefghijkl",
    "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl",
)


@pytest.mark.parametrize("arn", ARNS)
def test_an_arn_is_one_segment_of_the_path(bedrock: Bedrock, arn: str) -> None:
    assert bedrock.stream(arn)[-1]["metadata"]


def test_a_model_past_its_end_of_life_still_answers(bedrock: Bedrock) -> None:
    assert bedrock.converse("anthropic.claude-3-haiku-20240307-v1:0")["stopReason"] == "end_turn"
    eol = rejected("reached the end of its life", "ResourceNotFoundException", 404)
    with bedrock.fault("eol"), eol:
        bedrock.converse("anthropic.claude-3-haiku-20240307-v1:0")


def test_images_in_base64_are_measured(bedrock: Bedrock) -> None:
    answer = bedrock.converse(messages=[user("What is this?", IMAGE)])

    assert "PNG, 16 by 8 pixels, 24 bytes" in answer["output"]["message"]["content"][0]["text"]


SERVER_CALL = {"toolUseId": "s1", "name": "nova_code_interpreter", "input": {}, "type": "server_tool_use"}
GIF = b"GIF89a\x10\x00\x08\x00"
GUARDED = {"format": "png", "source": {"bytes": "AAAA"}}
SIGNED = {"text": "Hm.", "signature": "EqoBCkgIARABGAIiQL8="}
VALID: dict[str, tuple[str, Json]] = {
    "a video, Nova": (NOVA, {"messages": [user("Watch", {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}})]}),
    "guarded text": (
        CLAUDE,
        {"messages": [user({"guardContent": {"text": {"text": "Mind this"}}})],
         "system": [{"guardContent": {"text": {"text": "And this"}}}]},
    ),
    "a guarded image": (
        CLAUDE,
        {"messages": [user({"guardContent": {"image": GUARDED}})], "system": [{"guardContent": {"image": GUARDED}}]},
    ),
    "a cache point in a message": (CLAUDE, {"messages": [user("Hi", {"cachePoint": {"type": "default"}}, "there")]}),
    "reasoning of another model": (
        GPT_OSS,
        {"messages": [user("Hi"), assistant({"reasoningContent": {"reasoningText": {"text": "Hm"}}}, "Y"), user(".")]},
    ),
    "an answer that starts with its reasoning": (
        CLAUDE,
        {"messages": [user("Hi"), assistant({"reasoningContent": {"reasoningText": SIGNED}}, CALL), user(RESULT)],
         "toolConfig": TOOLS, "additionalModelRequestFields": THINKING, "inferenceConfig": {"maxTokens": 2000}},
    ),
    "a search result": (
        CLAUDE,
        {"messages": [user("Hi", {"searchResult": {"source": "s", "title": "t", "content": [{"text": "Water"}]}})]},
    ),
    "citations of an earlier answer": (
        CLAUDE,
        {"messages": [
            user("Hi"), assistant({"citationsContent": {"content": [{"text": "It"}], "citations": []}}), user("So?"),
        ]},
    ),
    "redacted reasoning of an earlier answer": (
        CLAUDE,
        {"messages": [user("Hi"), assistant({"reasoningContent": {"redactedContent": "AAAA"}}, "Yes."), user("So?")]},
    ),
    "a document as text": (
        CLAUDE, {"messages": [user("Read", {"document": {"name": "n", "source": {"text": "Water"}}})]}
    ),
    "a document as several texts": (
        CLAUDE, {"messages": [user("Read", {"document": {"name": "n", "source": {"content": [{"text": "Water"}]}}})]}
    ),
    "a result with an image": (
        CLAUDE,
        {"messages": [
            user("Hi"), assistant(CALL),
            user({"toolResult": {"toolUseId": "t1", "content": [
                {"text": "Look"}, {"image": {"format": "gif", "source": {"bytes": b64encode(GIF).decode()}}},
            ]}}),
        ], "toolConfig": TOOLS},
    ),
    "a small image of another format": (
        CLAUDE,
        {"messages": [user("See", {"image": {"format": "gif", "source": {"bytes": b64encode(GIF).decode()}}})]},
    ),
    "an image without a size": (
        CLAUDE, {"messages": [user("See", {"image": {"format": "jpeg", "source": {"bytes": "/9j/4A=="}}})]}
    ),
    "cached tools": (
        CLAUDE, {"toolConfig": {"tools": [tool(), {"cachePoint": {"type": "default"}}], "toolChoice": {"auto": {}}}}
    ),
    "adaptive thinking": (
        OPUS_5_5,
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}},
    ),
    "disabled thinking": (CLAUDE, {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
    "a tool choice of none": (
        CLAUDE, {"toolConfig": TOOLS, "additionalModelRequestFields": {"tool_choice": {"type": "none"}}}
    ),
    "a schema in Claude's format": (
        CLAUDE,
        {"additionalModelRequestFields": {
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        }},
    ),
    "disabled reasoning, Qwen": (
        "qwen.qwen3-32b-v1:0", {"additionalModelRequestFields": {"reasoning_config": "none"}}
    ),
    "a server tool call without a result": (
        NOVA_2,
        {"messages": [user("Hi"), assistant({"toolUse": SERVER_CALL}, "It is 42."), user("So?")],
         "toolConfig": {"tools": [{"systemTool": {"name": "nova_code_interpreter"}}]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "extra"), VALID.values(), ids=VALID)
def test_a_valid_request_is_accepted(url: str, model: str, extra: Json) -> None:
    body = {"messages": [user("Hi")]} | extra

    response = httpx.post(f"{url}/model/{model}/converse", json=body, trust_env=False)

    assert response.status_code == 200, response.text
    assert response.json()["output"]["message"]["content"]


def test_an_invalid_schema_is_rejected(url: str) -> None:
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}
    body = {"messages": [user("Hi")], "outputConfig": {"textFormat": form}}

    response = httpx.post(f"{url}/model/{CLAUDE}/converse", json=body, trust_env=False)

    assert response.status_code == 400
    assert "not a JSON Schema object" in response.json()["message"]
