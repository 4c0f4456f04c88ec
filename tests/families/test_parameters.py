"""What a model is known not to take is refused by name, and can be taken out."""

from typing import Any

import pytest

from service.bedrock.catalog.resolution import MODELS, resolve
from service.bedrock.rules.parameters import check, clamped, lenient, refusals, without
from service.errors import InvalidRequest
from service.generation import CachePoint, Document, Message, Reasoning, Request, Text, ToolChoice, ToolResult
from tests.families.test_bodies import CALLED, HISTORY, PNG, SYSTEM, WEATHER, assistant, user
from tests.families.wire import EXAMPLES, asked

CLAUDE = EXAMPLES["claude_messages"]
OPUS = "us.anthropic.claude-opus-4-7"
FORCED = {"tools": (WEATHER,), "tool_choice": ToolChoice("any")}

CASES: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "temperature from Opus 4.7 on": (OPUS, "auto", {"temperature": 0.5, "top_p": 0.5, "top_k": 4},
                                     ["temperature", "top_p", "top_k"]),
    "temperature, GPT": ("us.openai.gpt-6-sol", "auto", {"temperature": 0.5, "stop_sequences": ("E",)},
                         ["temperature", "stop_sequences"]),
    "a temperature above the model's": (CLAUDE, "auto", {"temperature": 1.5}, ["temperature"]),
    "a temperature that Jamba takes on InvokeModel": ("ai21.jamba-1-5-mini-v1:0", "invoke", {"temperature": 1.5}, []),
    "stop sequences, gpt-oss on Converse": (EXAMPLES["openai_chat"], "converse", {"stop_sequences": ("E",)},
                                            ["stop_sequences"]),
    "stop sequences, gpt-oss on InvokeModel": (EXAMPLES["openai_chat"], "invoke", {"stop_sequences": ("E",)}, []),
    "stop sequences, Kimi": ("moonshot.kimi-k2-thinking", "auto", {"stop_sequences": ("E",)}, ["stop_sequences"]),
    "a system prompt, Titan": (EXAMPLES["titan"], "auto", {"system": SYSTEM}, ["system"]),
    "a system prompt, Mistral 7B on Converse": (EXAMPLES["mistral_prompt"], "auto", {"system": SYSTEM}, ["system"]),
    "a system prompt, Mistral 7B on InvokeModel": (EXAMPLES["mistral_prompt"], "invoke", {"system": SYSTEM}, []),
    "a blank system prompt": (EXAMPLES["titan"], "auto", {"system": (Text(" "),)}, []),
    "tools, R1": (EXAMPLES["deepseek_r1"], "auto", {"tools": (WEATHER,)}, ["tools"]),
    "tools, Llama 3": ("meta.llama3-8b-instruct-v1:0", "auto", {"tools": (WEATHER,)}, ["tools"]),
    "tools, Llama 3.1 on Converse": (EXAMPLES["llama"], "converse", {"tools": (WEATHER,)}, []),
    "a tool choice, Llama 3.1": (EXAMPLES["llama"], "converse", FORCED, ["tool_choice"]),
    "a forced tool where it is refused": ("us.anthropic.claude-opus-5-5", "auto", FORCED, ["tool_choice"]),
    "no tool where a forced one is refused": ("us.anthropic.claude-opus-5-5", "auto",
                                              {"tools": (WEATHER,), "tool_choice": ToolChoice("none")}, []),
    "a forced tool while thinking": (CLAUDE, "auto", {**FORCED, "reasoning": Reasoning(budget_tokens=2000)},
                                     ["tool_choice"]),
    "one call at a time, Nova": (EXAMPLES["nova"], "auto", {"tools": (WEATHER,), "parallel_tool_calls": False},
                                 ["parallel_tool_calls"]),
    "images, text models": (EXAMPLES["deepseek_r1"], "auto", {"messages": (user("x", PNG),)}, ["messages.0.content.1"]),
    "images, Nova Micro": ("amazon.nova-micro-v1:0", "auto", {"messages": (user("x", PNG),)}, ["messages.0.content.1"]),
    "images, Claude 3.5 Haiku": ("us.anthropic.claude-3-5-haiku-20241022-v1:0", "auto",
                                 {"messages": (user("x", PNG),)}, ["messages.0.content.1"]),
    "images as a tool's result, Mistral": (
        "us.mistral.pixtral-large-2502-v1:0", "auto",
        {"messages": (*CALLED[:2], user(ToolResult("c1", (PNG,)))), "tools": (WEATHER,)},
        ["messages.2.content.0.content.0"]),
    "documents, Command": (EXAMPLES["command"], "auto",
                           {"messages": (user("x", Document("text/plain", "eA==")),)}, ["messages.0.content.1"]),
    "documents as a tool's result, Nova Micro": (
        "amazon.nova-micro-v1:0", "auto",
        {"messages": (*CALLED[:2], user(ToolResult("c1", (Document("text/plain", "eA=="),)))), "tools": (WEATHER,)},
        ["messages.2.content.0.content.0"]),
    "reasoning, a model without it": (EXAMPLES["nova"], "auto", {"reasoning": Reasoning(effort="low")}, ["reasoning"]),
    "reasoning, nobody knows how": (EXAMPLES["tolerant"], "auto", {"reasoning": Reasoning()}, ["reasoning"]),
    "no reasoning, a model that cannot help it": (EXAMPLES["openai_chat"], "auto",
                                                  {"reasoning": Reasoning(enabled=False)}, ["reasoning"]),
    "the effort `none` is no reasoning": (EXAMPLES["nova"], "auto", {"reasoning": Reasoning(effort="none")}, []),
    "a budget below the least": (CLAUDE, "auto", {"reasoning": Reasoning(budget_tokens=1000)},
                                 ["reasoning.budget_tokens"]),
    "a budget above max_tokens": (CLAUDE, "auto", {"reasoning": Reasoning(budget_tokens=2000), "max_tokens": 2000},
                                  ["reasoning.budget_tokens"]),
    "no room for an effort": (CLAUDE, "auto", {"reasoning": Reasoning(effort="low"), "max_tokens": 500}, ["reasoning"]),
    "sampling while thinking": (CLAUDE, "auto", {"reasoning": Reasoning(effort="low"), "temperature": 0.5, "top_k": 4,
                                                 "top_p": 0.5}, ["temperature", "top_k", "top_p"]),
    "what may be sampled while thinking": (CLAUDE, "auto", {"reasoning": Reasoning(effort="low"), "temperature": 1,
                                                            "top_p": 0.95}, []),
    "more tokens than the model gives": ("anthropic.claude-3-haiku-20240307-v1:0", "auto", {"max_tokens": 4097},
                                         ["max_tokens"]),
    "as many tokens as the model gives": ("anthropic.claude-3-haiku-20240307-v1:0", "auto", {"max_tokens": 4096}, []),
    "a limit that is only known roughly": ("zai.glm-4.7", "auto", {"max_tokens": 131072}, []),
    "a schema, Titan": (EXAMPLES["titan"], "auto", {"output_schema": {"type": "object"}}, ["output_schema"]),
    "a history, Command on Converse": (EXAMPLES["command"], "converse", {"messages": HISTORY}, ["messages"]),
    "a history, Command on InvokeModel": (EXAMPLES["command"], "invoke", {"messages": HISTORY}, []),
    "an assistant who begins": (EXAMPLES["nova"], "auto", {"messages": HISTORY[1:]}, ["messages.0.role"]),
    "an assistant who begins, Claude": (CLAUDE, "auto", {"messages": HISTORY[1:]}, []),
    "a prefill from Claude 4.6 on": (OPUS, "auto", {"messages": HISTORY[:2]}, ["messages.1.role"]),
    "a prefill, Claude 4.5": (CLAUDE, "auto", {"messages": HISTORY[:2]}, []),
    "cache points, Kimi K2": ("moonshotai.kimi-k2.5", "auto",
                              {"messages": (user("x", CachePoint()),), "system": (*SYSTEM, CachePoint()),
                               "tools": (WEATHER, CachePoint())},
                              ["system.1", "tools.1", "messages.0.content.1"]),
    "anything, of a model that nobody knows": (
        "acme.model-1", "auto",
        {"temperature": 1, "top_k": 3, "system": SYSTEM, **FORCED, "max_tokens": 10**6, "stop_sequences": ("E",)}, []),
}  # fmt: skip


@pytest.mark.parametrize(("model_id", "api", "fields", "expected"), CASES.values(), ids=CASES)
def test_what_is_known_not_to_be_taken(model_id: str, api: Any, fields: dict[str, Any], expected: list[str]) -> None:
    request = asked(model_id, api, **fields)
    assert [error.field for error in refusals(request, resolve(request))] == expected


def test_a_refusal_names_the_fields_and_says_what_would_be_right() -> None:
    request = asked(OPUS, "auto", temperature=0.5)
    with pytest.raises(InvalidRequest) as caught:
        check(request, resolve(request))
    assert caught.value.code.name == "validation"
    assert caught.value.message == "temperature: this model does not take it: leave it out"
    assert caught.value.fields[0].field == "temperature"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_plain_question_is_refused_by_no_model(model: Any) -> None:
    for name in (model.id, *model.profiles):
        request = asked(name, "auto", max_tokens=500)
        assert refusals(request, resolve(request)) == []


def leniently(model_id: str, **fields: Any) -> tuple[Request, list[str]]:
    """Ask a model for what it does not take, as a lenient surface does."""
    request = asked(model_id, "auto", **fields)
    return lenient(request, resolve(request))


def test_a_lenient_surface_has_parameters_taken_out_and_named() -> None:
    request, dropped = leniently(OPUS, temperature=0.5, top_p=0.5, max_tokens=9)
    assert (request.temperature, request.top_p, request.max_tokens) == (None, None, 9)
    assert dropped == ["temperature", "top_p"]


def test_a_lenient_surface_has_temperature_and_tokens_lowered() -> None:
    request, dropped = leniently("anthropic.claude-3-haiku-20240307-v1:0", temperature=1.7, max_tokens=100_000)
    assert (request.temperature, request.max_tokens) == (1.0, 4096)
    assert dropped == []


def test_a_lenient_surface_may_keep_what_the_model_takes() -> None:
    asked_for = asked(CLAUDE, "auto", temperature=0.5, max_tokens=9)
    request, dropped = lenient(asked_for, resolve(asked_for))
    assert request is asked_for or request == asked_for
    assert dropped == []


def test_cache_points_are_taken_out_without_what_they_follow() -> None:
    request, dropped = leniently(
        "moonshotai.kimi-k2.5",
        messages=(user("x", CachePoint()),),
        system=(*SYSTEM, CachePoint()),
        tools=(WEATHER, CachePoint()),
    )
    assert request.messages == (user("x"),)
    assert request.system == SYSTEM
    assert request.tools == (WEATHER,)
    assert dropped == ["system.1", "tools.1", "messages.0.content.1"]


def test_reasoning_s_budget_goes_with_it() -> None:
    request, dropped = leniently(CLAUDE, reasoning=Reasoning(budget_tokens=1000))
    assert request.reasoning is None
    assert dropped == ["reasoning.budget_tokens"]


def test_an_image_is_never_taken_out() -> None:
    with pytest.raises(InvalidRequest) as caught:
        leniently(EXAMPLES["deepseek_r1"], messages=(user("x", PNG),), tools=(WEATHER,))
    assert [error.field for error in caught.value.fields] == ["messages.0.content.1"]


def test_a_message_of_nothing_but_a_cache_point_stays() -> None:
    request = Request(CLAUDE, (user(CachePoint()), assistant("a")))
    assert without(request, ["messages.0.content.0"]) == request


def test_what_is_below_the_measure_is_not_raised() -> None:
    request = asked(CLAUDE, "auto", temperature=0.2, max_tokens=5)
    assert clamped(request, resolve(request)) is request


def test_a_message_is_a_message() -> None:
    assert (
        without(Request(CLAUDE, (Message("user", (Text("a"),)),), temperature=1), ["temperature"]).temperature is None
    )
