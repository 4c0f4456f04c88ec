"""What each family refuses of a body on InvokeModel."""

from typing import Any

import pytest

from service.bedrock.catalog import MODELS
from tests.local.bedrock import CLAUDE, Bedrock, Json, body_for, refused

SERIES = {model.series: model for model in MODELS}
MESSAGES = [{"role": "user", "content": "Hi"}]
CLAUDE_BODY: Json = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": MESSAGES}
TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "Sunny"}


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_a_key_too_many_is_refused_by_name(bedrock: Bedrock, model: Any) -> None:
    claude = model.family == "claude_messages"
    part = "wells: Extra inputs are not permitted" if claude else "extraneous key [wells] is not permitted"

    with refused(part):
        bedrock.invoke(model.names[0], body_for(model) | {"wells": 3})


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_a_missing_key_is_named(bedrock: Bedrock, model: Any) -> None:
    body = body_for(model)
    body.pop("stream", None)
    required = next(key for key in ("messages", "prompt", "inputText", "message") if key in body)
    body.pop(required)
    claude = model.family == "claude_messages"

    with refused(f"{required}: Field required" if claude else f"required key [{required}] not found"):
        bedrock.invoke(model.names[0], body)


MISTAKES: dict[str, tuple[str, Json, str]] = {
    "Claude without max_tokens": (
        "claude_3", {"anthropic_version": "bedrock-2023-05-31", "messages": MESSAGES}, "max_tokens: Field required"
    ),
    "Claude with model": ("claude_3", CLAUDE_BODY | {"model": "claude"}, "model: Extra inputs are not permitted"),
    "Claude with stream": ("claude_3", CLAUDE_BODY | {"stream": True}, "stream: Extra inputs are not permitted"),
    "Claude with another version": (
        "claude_3", CLAUDE_BODY | {"anthropic_version": "2023-06-01"}, "anthropic_version"
    ),
    "Claude 3 with the newest version": (
        "claude_3", CLAUDE_BODY | {"anthropic_version": "2026-10-21"}, "anthropic_version"
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
    "Claude with a result for nothing": (
        "claude_3", CLAUDE_BODY | {"tools": [TOOL], "messages": [{"role": "user", "content": [RESULT]}]},
        "unexpected `tool_use_id`",
    ),
    "Claude with an unanswered call": (
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
    "Claude with more tokens than there are": ("claude_3", CLAUDE_BODY | {"max_tokens": 9_000_000}, "maximum allowed"),
    "Claude 2 without a human": (
        "claude_text", {"prompt": "Hi", "max_tokens_to_sample": 9}, 'must start with "\n\nHuman:" turn'
    ),
    "Claude 2 without an assistant": (
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
    "Llama with a number in words": (
        "llama3", {"prompt": "Hi", "max_gen_len": "many"}, "expected type: Integer, found: String"
    ),
    "Command R without words": ("command_r", {"message": " "}, "message must be at least 1 token long"),
    "gpt-oss that streams the wrong way": ("gpt_oss", {"messages": MESSAGES, "stream": True}, "stream"),
    "GPT with a temperature": ("gpt", {"messages": MESSAGES, "temperature": 0.5}, "'temperature' is not supported"),
    "GPT with max_tokens": ("gpt", {"messages": MESSAGES, "max_tokens": 5}, "'max_tokens' is not supported"),
    "a chat that the assistant begins": (
        "gpt_oss", {"messages": [{"role": "assistant", "content": "Hi"}, *MESSAGES]}, "must start with a user message"
    ),
    "a chat that the assistant ends": (
        "gpt_oss", {"messages": [*MESSAGES, {"role": "assistant", "content": "Hi"}]}, "prefill"
    ),
    "a tool's message for no call": (
        "gpt_oss", {"messages": [*MESSAGES, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "role 'tool'"
    ),
    "a picture for a model that cannot see": (
        "gpt_oss",
        {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}]}]},
        "image input",
    ),
    "an effort that DeepSeek does not make": (
        "deepseek_v3", {"messages": MESSAGES, "reasoning_effort": "low"}, "'reasoning_effort' does not support 'low'"
    ),
    "R1 that is told to think": (
        "deepseek_r1", {"prompt": "Hi", "reasoning_effort": "high"}, "extraneous key [reasoning_effort]"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("series", "body", "part"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused(bedrock: Bedrock, series: str, body: Json, part: str) -> None:
    with refused(part):
        bedrock.invoke(SERIES[series].names[0], body)


def test_a_guardrail_needs_its_version(bedrock: Bedrock) -> None:
    with refused("guardrailVersion"):
        bedrock.invoke(CLAUDE, CLAUDE_BODY, guardrailIdentifier="abc")


def test_a_mistake_is_refused_before_a_stream_begins(bedrock: Bedrock) -> None:
    with refused("max_tokens: Field required"):
        bedrock.chunks(CLAUDE, {"anthropic_version": "bedrock-2023-05-31", "messages": MESSAGES})
