"""The bodies that each family rejects and accepts on InvokeModel."""

from base64 import b64encode
from typing import Any

import pytest

from service.bedrock.catalog.resolution import MODELS
from tests.local.bedrock import CLAUDE, Bedrock, Json, body_for, rejected

SERIES = {model.series: model for model in MODELS}
MESSAGES = [{"role": "user", "content": "Hi"}]
CLAUDE_BODY: Json = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": MESSAGES}
TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
TEXT = {"type": "text", "text": "Water rises."}
PNG = b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x08").decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
REASONING = {"type": "thinking", "thinking": "Hm.", "signature": "EqoBCkgIARABGAIiQL8="}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "Sunny"}


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_an_unknown_member_is_rejected_by_name(bedrock: Bedrock, model: Any) -> None:
    claude = model.family == "claude_messages"
    part = "wells: Extra inputs are not permitted" if claude else "extraneous key [wells] is not permitted"

    with rejected(part):
        bedrock.invoke(model.names[0], body_for(model) | {"wells": 3})


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_a_missing_member_is_named(bedrock: Bedrock, model: Any) -> None:
    body = body_for(model)
    body.pop("stream", None)
    required = next(key for key in ("messages", "prompt", "inputText", "message") if key in body)
    body.pop(required)
    claude = model.family == "claude_messages"

    with rejected(f"{required}: Field required" if claude else f"required key [{required}] not found"):
        bedrock.invoke(model.names[0], body)


INVALID: dict[str, tuple[str, Json, str]] = {
    "Claude without max_tokens": (
        "claude_3", {"anthropic_version": "bedrock-2023-05-31", "messages": MESSAGES}, "max_tokens: Field required"
    ),
    "Claude with model": ("claude_3", CLAUDE_BODY | {"model": "claude"}, "model: Extra inputs are not permitted"),
    "Claude with stream": ("claude_3", CLAUDE_BODY | {"stream": True}, "stream: Extra inputs are not permitted"),
    "Claude with another version": (
        "claude_3", CLAUDE_BODY | {"anthropic_version": "2023-06-01"}, "anthropic_version"
    ),
    "Claude with citations in a user's message, newest version": (
        "claude_3",
        CLAUDE_BODY | {"anthropic_version": "2026-10-21",
                       "messages": [{"role": "user", "content": [TEXT | {"citations": [{"type": "x"}]}]}]},
        "messages.0.content.0.citations: Extra inputs are not permitted",
    ),
    "Claude with a temperature of 3": ("claude_3", CLAUDE_BODY | {"temperature": 3}, "temperature: Input should be"),
    "Claude 5.5 with a temperature": ("claude_adaptive", CLAUDE_BODY | {"temperature": 0.5}, "temperature"),
    "Claude with a blank text": (
        "claude_3", CLAUDE_BODY | {"messages": [{"role": "user", "content": " "}]}, "must contain non-whitespace text"
    ),
    "Claude with an empty message": (
        "claude_3", CLAUDE_BODY | {"messages": [{"role": "user", "content": ""}]}, "must have non-empty content"
    ),
    "Claude 5 with a prefill": (
        "claude_adaptive", CLAUDE_BODY | {"messages": [*MESSAGES, {"role": "assistant", "content": "Hel"}]},
        "does not support assistant message prefill",
    ),
    "Claude with a prefill and a space": (
        "claude_3", CLAUDE_BODY | {"messages": [*MESSAGES, {"role": "assistant", "content": "Hel "}]},
        "cannot end with trailing whitespace",
    ),
    "Claude with a result of an unknown tool call": (
        "claude_3", CLAUDE_BODY | {"tools": [TOOL], "messages": [{"role": "user", "content": [RESULT]}]},
        "unexpected `tool_use_id`",
    ),
    "Claude with a tool call without a result": (
        "claude_3",
        CLAUDE_BODY | {"tools": [TOOL], "messages": [*MESSAGES, {"role": "assistant", "content": [USE]}, *MESSAGES]},
        "`tool_use` ids were found without `tool_result` blocks immediately after: t1",
    ),
    "Claude with tool blocks and no tools": (
        "claude_3",
        CLAUDE_BODY | {"messages": [
            *MESSAGES, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]},
        ]},
        "must define tools",
    ),
    "Claude with a budget too large": (
        "claude_thinking", CLAUDE_BODY | {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "Claude with more tokens than its limit": ("claude_3", CLAUDE_BODY | {"max_tokens": 9_000_000}, "maximum allowed"),
    "Claude with a blank stop sequence": ("claude_3", CLAUDE_BODY | {"stop_sequences": [" "]}, "non-whitespace"),
    "Claude with a wrong type": ("claude_3", CLAUDE_BODY | {"max_tokens": "9"}, "Input should be a valid integer"),
    "Claude with an image in an answer": (
        "claude_3", CLAUDE_BODY | {"messages": [*MESSAGES, {"role": "assistant", "content": [IMAGE]}, *MESSAGES]},
        "not permitted in an assistant message",
    ),
    "Claude 3.5 Haiku with an image": (
        "haiku", CLAUDE_BODY | {"messages": [{"role": "user", "content": [IMAGE]}]}, "does not support image input"
    ),
    "Claude with a schema of another type than object": (
        "claude_3", CLAUDE_BODY | {"tools": [TOOL | {"input_schema": {"type": "string"}}]}, "Input should be 'object'"
    ),
    "Claude with a choice and no tools": (
        "claude_3", CLAUDE_BODY | {"tool_choice": {"type": "any"}}, "only be specified while providing tools"
    ),
    "Claude with a choice of an unknown tool": (
        "claude_3", CLAUDE_BODY | {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "is not in tools"
    ),
    "Claude with a forced tool and thinking": (
        "claude_thinking",
        CLAUDE_BODY | {"max_tokens": 2000, "thinking": THINKING, "tools": [TOOL], "tool_choice": {"type": "any"}},
        "when tool_choice forces tool use",
    ),
    "Claude 5.5 with a forced tool": (
        "opus_5_5", CLAUDE_BODY | {"tools": [TOOL], "tool_choice": {"type": "any"}}, "is not supported for this model"
    ),
    "Claude with thinking and a prefill": (
        "claude_thinking",
        CLAUDE_BODY | {"max_tokens": 2000, "thinking": THINKING,
                       "messages": [*MESSAGES, {"role": "assistant", "content": "Hel"}]},
        "no prefill when thinking is enabled",
    ),
    "Claude with thinking after an answer without it": (
        "claude_thinking",
        CLAUDE_BODY | {"max_tokens": 2000, "thinking": THINKING, "tools": [TOOL], "messages": [
            *MESSAGES, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]},
        ]},
        "Expected `thinking` or `redacted_thinking`",
    ),
    "Claude with unsigned reasoning": (
        "claude_thinking",
        CLAUDE_BODY | {"messages": [
            *MESSAGES, {"role": "assistant", "content": [REASONING | {"signature": "?"}, TEXT]}, *MESSAGES,
        ]},
        "Invalid `signature`",
    ),
    "Claude 2 with a space at the end": (
        "claude_text", {"prompt": "\n\nHuman: Hi\n\nAssistant: ", "max_tokens_to_sample": 9}, "cannot end with a space"
    ),
    "Claude 2 with an assistant's turn first": (
        "claude_text", {"prompt": "\n\nAssistant: Hi\n\nHuman: Hi\n\nAssistant:", "max_tokens_to_sample": 9},
        "must start with",
    ),
    "Titan with a blank prompt": ("titan", {"inputText": " "}, "#/inputText"),
    "Llama with an image for a text model": ("llama3", {"prompt": "Hi", "images": ["AAAA"]}, "key [images]"),
    "Mixtral with too many tokens": ("mixtral", {"prompt": "Hi", "max_tokens": 5000}, "#/max_tokens"),
    "Command R with too many tokens": ("command_r", {"message": "Hi", "max_tokens": 50_000}, "#/max_tokens"),
    "Command with stream on InvokeModel": ("command", {"prompt": "Hi", "stream": True}, "stream is not permitted"),
    "Mistral with too many stop sequences": (
        "mistral_prompt", {"prompt": "Hi", "stop": ["a"] * 11}, "not less or equal to 10"
    ),
    "Nova with a block with two members": (
        "nova_1",
        {"messages": [{"role": "user", "content": [{"text": "Hi", "cachePoint": {"type": "default"}}]}]},
        "must set one of the following keys",
    ),
    "Nova with an unknown version": (
        "nova_1", {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "schemaVersion": "2"}, "#/schemaVersion"
    ),
    "a chat with documents": ("gpt_oss", {"messages": MESSAGES, "documents": [{}]}, "'documents' is not supported"),
    "a chat with too high a temperature": ("jamba", {"messages": MESSAGES, "temperature": 2.5}, "#/temperature"),
    "a chat above its temperature limit": ("gpt_oss", {"messages": MESSAGES, "temperature": 1.5}, "#/temperature"),
    "a chat with more tokens than the model's limit": (
        "gpt_oss", {"messages": MESSAGES, "max_tokens": 900_000}, "max_tokens is too large"
    ),
    "a chat with a choice of an unknown tool": (
        "gpt_oss",
        {"messages": MESSAGES, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "is not in tools",
    ),
    "a chat with a choice and no tools": (
        "gpt_oss", {"messages": MESSAGES, "tool_choice": "auto"}, "only allowed when tools are specified"
    ),
    "a chat with a tool call without a result": (
        "gpt_oss", {"messages": [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]}, *MESSAGES]},
        "must be followed by tool messages",
    ),
    "a chat with arguments that are not JSON": (
        "gpt_oss",
        {"messages": [
            *MESSAGES,
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": "{"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
        ]},
        "the arguments are not JSON",
    ),
    "a chat with a blank message": (
        "gpt_oss", {"messages": [{"role": "user", "content": " "}]}, "messages.0.content: the content is blank"
    ),
    "a chat with an image URL of another host": (
        "gemma",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://example.org/a.png"}]}]},
        "only data URLs",
    ),
    "a chat with an effort for a model without reasoning": (
        "minimax", {"messages": MESSAGES, "reasoning_effort": "high"}, "'reasoning_effort' is not supported"
    ),
    "Claude 2 without a human turn": (
        "claude_text", {"prompt": "Hi", "max_tokens_to_sample": 9}, 'must start with "\n\nHuman:" turn'
    ),
    "Claude 2 without an assistant turn": (
        "claude_text", {"prompt": "\n\nHuman: Hi", "max_tokens_to_sample": 9}, 'must end with "\n\nAssistant:" turn'
    ),
    "Nova with a text for content": ("nova_1", {"messages": MESSAGES}, "expected type: JSONArray, found: String"),
    "Nova with topK in the wrong place": (
        "nova_1", {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "topK": 3}, "extraneous key [topK]"
    ),
    "Nova with an unknown parameter": (
        "nova_1",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"max_gen_len": 3}},
        "#/inferenceConfig: extraneous key [max_gen_len]",
    ),
    "Nova 2 with a limit and high effort": (
        "nova_2",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 300},
         "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
        "must be unset",
    ),
    "Titan with too many tokens": (
        "titan", {"inputText": "Hi", "textGenerationConfig": {"maxTokenCount": 9000}}, "not less or equal to"
    ),
    "Llama with stop sequences": ("llama3", {"prompt": "Hi", "stop": ["x"]}, "extraneous key [stop]"),
    "Llama with a temperature of 3": ("llama3", {"prompt": "Hi", "temperature": 3}, "#/temperature"),
    "Llama with too long an answer": ("llama3", {"prompt": "Hi", "max_gen_len": 9000}, "#/max_gen_len"),
    "Llama with a number as a string": (
        "llama3", {"prompt": "Hi", "max_gen_len": "many"}, "expected type: Integer, found: String"
    ),
    "Command R with a blank message": ("command_r", {"message": " "}, "message must be at least 1 token long"),
    "gpt-oss with stream on InvokeModel": ("gpt_oss", {"messages": MESSAGES, "stream": True}, "stream"),
    "GPT with a temperature": ("gpt", {"messages": MESSAGES, "temperature": 0.5}, "'temperature' is not supported"),
    "GPT with max_tokens": ("gpt", {"messages": MESSAGES, "max_tokens": 5}, "'max_tokens' is not supported"),
    "a chat with an assistant's message first": (
        "gpt_oss", {"messages": [{"role": "assistant", "content": "Hi"}, *MESSAGES]}, "must start with a user message"
    ),
    "a chat with an assistant's message last": (
        "gpt_oss", {"messages": [*MESSAGES, {"role": "assistant", "content": "Hi"}]}, "prefill"
    ),
    "a tool's message without a call": (
        "gpt_oss", {"messages": [*MESSAGES, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "role 'tool'"
    ),
    "an image for a text model": (
        "gpt_oss",
        {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}]}]},
        "image input",
    ),
    "an unsupported effort for DeepSeek": (
        "deepseek_v3", {"messages": MESSAGES, "reasoning_effort": "low"}, "'reasoning_effort' does not support 'low'"
    ),
    "R1 with an effort": (
        "deepseek_r1", {"prompt": "Hi", "reasoning_effort": "high"}, "extraneous key [reasoning_effort]"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("series", "body", "part"), INVALID.values(), ids=INVALID)
def test_an_invalid_body_is_rejected(bedrock: Bedrock, series: str, body: Json, part: str) -> None:
    with rejected(part):
        bedrock.invoke(_model(series), body)


OTHERS = {
    "haiku": "us.anthropic.claude-3-5-haiku-20241022-v1:0",
    "opus_5_5": "global.anthropic.claude-opus-5-5",
    "mixtral": "mistral.mixtral-8x7b-instruct-v0:1",
}


def _model(series: str) -> str:
    return OTHERS.get(series) or SERIES[series].names[0]


IMAGE_URL = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
VALID: dict[str, tuple[str, Json]] = {
    "Claude with a system prompt in blocks, cached": (
        "claude_3",
        CLAUDE_BODY | {"system": [TEXT | {"cache_control": {"type": "ephemeral"}}], "metadata": {"user_id": "u"}},
    ),
    "Claude with cached tools": (
        "claude_3", CLAUDE_BODY | {"tools": [TOOL | {"cache_control": {"type": "ephemeral", "ttl": "5m"}}]}
    ),
    "Claude with an image": ("claude_3", CLAUDE_BODY | {"messages": [{"role": "user", "content": [IMAGE, TEXT]}]}),
    "Claude with documents of each kind": (
        "claude_3",
        CLAUDE_BODY | {"messages": [{"role": "user", "content": [
            TEXT,
            {"type": "document", "source": {"type": "content", "content": "Water rises."}},
            {"type": "document", "source": {"type": "content", "content": [TEXT]}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
        ]}]},
    ),
    "Claude with reasoning of an earlier answer": (
        "claude_thinking",
        CLAUDE_BODY | {"messages": [
            *MESSAGES,
            {"role": "assistant", "content": [REASONING, {"type": "redacted_thinking", "data": "AAAA"}, TEXT]},
            *MESSAGES,
        ]},
    ),
    "Claude with thinking after a tool result": (
        "claude_thinking",
        CLAUDE_BODY | {"max_tokens": 2000, "thinking": THINKING, "tools": [TOOL], "messages": [
            *MESSAGES, {"role": "assistant", "content": [REASONING, USE]}, {"role": "user", "content": [RESULT]},
        ]},
    ),
    "Claude with a result in blocks": (
        "claude_3",
        CLAUDE_BODY | {"tools": [TOOL], "messages": [
            *MESSAGES, {"role": "assistant", "content": [USE]},
            {"role": "user", "content": [RESULT | {"content": [TEXT, IMAGE]}]},
        ]},
    ),
    "Claude with a schema": (
        "claude_thinking",
        CLAUDE_BODY | {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    ),
    "Claude with two user messages in a row": ("claude_3", CLAUDE_BODY | {"messages": [*MESSAGES, *MESSAGES]}),
    "Claude with a forced tool": ("claude_3", CLAUDE_BODY | {"tools": [TOOL], "tool_choice": {"type": "any"}}),
    "Claude 5.5 with the newest version": (
        "claude_adaptive", CLAUDE_BODY | {"anthropic_version": "2026-10-21", "thinking": {"type": "adaptive"}}
    ),
    "Claude whose last message is empty": (
        "claude_3", CLAUDE_BODY | {"messages": [*MESSAGES, {"role": "assistant", "content": ""}]}
    ),
    "Claude 2 with messages": ("claude_text", CLAUDE_BODY),
    "Nova with the old names": (
        "nova_1",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}],
         "inferenceConfig": {"max_new_tokens": 9, "top_p": 0.5, "top_k": 9}},
    ),
    "Llama 3.2 with an image": ("llama3_vision", {"prompt": "What is this?", "images": [PNG]}),
    "Llama 3 with a system prompt": (
        "llama3",
        {"prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"},
    ),
    "Llama 2 with a system prompt": (
        "llama2", {"prompt": "<s>[INST] <<SYS>>\nBe kind\n<</SYS>>\n\nHi [/INST]"}
    ),
    "a chat with an image": ("gemma", {"messages": [{"role": "user", "content": [IMAGE_URL, TEXT]}]}),
    "a chat with a system prompt": ("gpt_oss", {"messages": [{"role": "developer", "content": "Be kind"}, *MESSAGES]}),
    "a chat with one stop sequence": ("gemma", {"messages": MESSAGES, "stop": "x"}),
    "a chat with several stop sequences": ("gemma", {"messages": MESSAGES, "stop": ["x", "y"]}),
    "a chat with a JSON answer": ("gemma", {"messages": MESSAGES, "response_format": {"type": "json_object"}}),
    "a chat with a forced tool": (
        "gpt_oss",
        {"messages": MESSAGES, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
    ),
    "a chat with a named tool": (
        "gpt_oss",
        {"messages": MESSAGES, "tools": [{"type": "function", "function": {"name": "f"}}],
         "tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    "a chat with a tool choice of none": (
        "gpt_oss",
        {"messages": MESSAGES, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
    ),
    "a chat with a nested effort": ("gpt", {"messages": MESSAGES, "reasoning": {"effort": "high"}}),
    "a chat with reasoning_config, Qwen": ("qwen", {"messages": MESSAGES, "reasoning_config": "low"}),
    "a chat with an effort of none": ("qwen", {"messages": MESSAGES, "reasoning_effort": "none"}),
}  # fmt: skip


@pytest.mark.parametrize(("series", "body"), VALID.values(), ids=VALID)
def test_a_valid_body_is_accepted_whole_and_streamed(bedrock: Bedrock, series: str, body: Json) -> None:
    assert bedrock.invoke(_model(series), body)
    assert "amazon-bedrock-invocationMetrics" in bedrock.chunks(_model(series), body)[-1]


def test_a_guardrail_needs_its_version(bedrock: Bedrock) -> None:
    with rejected("guardrailVersion"):
        bedrock.invoke(CLAUDE, CLAUDE_BODY, guardrailIdentifier="abc")


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_every_family_accepts_a_guardrail_config(bedrock: Bedrock, model: Any) -> None:
    body = body_for(model) | {"amazon-bedrock-guardrailConfig": {"streamProcessingMode": "ASYNCHRONOUS"}}
    body.pop("stream", None)

    answer = bedrock.invoke(model.names[0], body, guardrailIdentifier="abc", guardrailVersion="1")

    assert answer["amazon-bedrock-guardrailAction"] == "NONE"


@pytest.mark.parametrize(
    ("config", "part"), [({"streamProcessingMode": "sync"}, "#/streamProcessingMode"), ({}, "only permitted with")]
)
def test_an_invalid_guardrail_config_is_rejected(bedrock: Bedrock, config: Json, part: str) -> None:
    with rejected(part):
        bedrock.invoke(CLAUDE, CLAUDE_BODY | {"amazon-bedrock-guardrailConfig": config})


def test_an_invalid_body_is_rejected_before_the_stream_starts(bedrock: Bedrock) -> None:
    with rejected("max_tokens: Field required"):
        bedrock.chunks(CLAUDE, {"anthropic_version": "bedrock-2023-05-31", "messages": MESSAGES})
