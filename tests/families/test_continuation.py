"""Which broken answers can be gone on from, and by which call."""

from typing import Any

import pytest

from service.bedrock.catalog.resolution import MODELS, continuation, resolve
from service.bedrock.wires.families import wire_of
from service.generation import CachePoint, Document, Reasoning
from tests.families.test_bodies import CALLED, SYSTEM, WEATHER, user
from tests.families.wire import EXAMPLES, asked

CLAUDE = EXAMPLES["claude_messages"]
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"

CASES: dict[str, tuple[str, Any, dict[str, Any], str | None]] = {
    "Claude 4.5 on Converse": (CLAUDE, "converse", {}, "converse"),
    "Claude 4.5 on InvokeModel": (CLAUDE, "invoke", {}, "invoke"),
    "Claude 4.5 with tools": (CLAUDE, "converse", {"tools": (WEATHER,)}, "converse"),
    "Claude 4.5 that thinks": (CLAUDE, "converse", {"reasoning": Reasoning(effort="low")}, None),
    "Claude 4.5 held to a schema": (CLAUDE, "converse", {"output_schema": {"type": "object"}}, None),
    "Claude 3": (CLAUDE_3, "converse", {}, "converse"),
    "Claude 3 with tools": (CLAUDE_3, "converse", {"tools": (WEATHER,)}, None),
    "Claude 3 with calls in its history": (CLAUDE_3, "converse", {"messages": CALLED}, None),
    "Claude 4.6": ("us.anthropic.claude-sonnet-4-6", "converse", {}, None),
    "Claude 5.5": ("us.anthropic.claude-opus-5-5", "converse", {}, None),
    "a Claude that nobody has listed": ("us.anthropic.claude-opus-9", "converse", {}, None),
    "Nova on Converse": (EXAMPLES["nova"], "converse", {}, "converse"),
    "Nova on InvokeModel": (EXAMPLES["nova"], "invoke", {}, "invoke"),
    "Nova 2 that thinks": ("us.amazon.nova-2-lite-v1:0", "converse", {"reasoning": Reasoning(effort="low")}, None),
    "Llama on Converse, by its prompt": (EXAMPLES["llama"], "converse", {"system": SYSTEM}, "invoke"),
    "Llama with tools": (EXAMPLES["llama"], "converse", {"tools": (WEATHER,)}, None),
    "Llama with a document": (
        EXAMPLES["llama"],
        "converse",
        {"messages": (user("x", Document("text/plain", "eA==")),)},
        None,
    ),
    "Mistral 7B on Converse, by its prompt": (EXAMPLES["mistral_prompt"], "converse", {}, "invoke"),
    "Titan": (EXAMPLES["titan"], "converse", {}, "invoke"),
    "Claude 2": (EXAMPLES["claude_text"], "converse", {"messages": (user("x", CachePoint()),)}, "invoke"),
    "R1, whose reasoning is over": (EXAMPLES["deepseek_r1"], "converse", {}, "invoke"),
    "gpt-oss": (EXAMPLES["openai_chat"], "converse", {}, None),
    "Command R": (EXAMPLES["command_r"], "invoke", {}, None),
    "a model that nobody knows": ("acme.model-1", "converse", {}, None),
}


@pytest.mark.parametrize(("model_id", "api", "fields", "expected"), CASES.values(), ids=CASES)
def test_a_broken_answer_goes_on_by(model_id: str, api: Any, fields: dict[str, Any], expected: str | None) -> None:
    request = asked(model_id, api, **fields)
    target = continuation(resolve(request), request)
    assert (target and target.api) == expected


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_whatever_can_be_continued_has_a_body_that_does_it(model: Any, api: Any) -> None:
    request = asked(model.id, api, max_tokens=99, messages=(user("Hello?", CachePoint()),))
    target = continuation(resolve(request), request)
    if target is not None:
        said = wire_of(target).body(request, target.model, stream=target.streams, prefill="Once upon")
        assert "Once upon" in str(said)
        assert target.model_id == model.id
