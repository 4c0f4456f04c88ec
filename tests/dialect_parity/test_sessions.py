"""Long sessions of tool calls, as coding agents hold them: the local Bedrock refuses a history that is not exact."""

import json
from collections.abc import Sequence
from itertools import count
from typing import Any

import anthropic
import pytest
from anthropic import beta_async_tool
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import HAIKU
from tests.harness import Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

CITIES = ("Oslo", "Lima", "Cairo", "Quito", "Perth", "Minsk", "Dakar", "Osaka", "Turin", "Accra", "Split", "Basel")


def question(city: str) -> str:
    return f"What is the weather in {city}, and what is the time there?"


def rain(city: str) -> str:
    return f'{{"sky": "rain over {city} \u2028 \U0001f327"}}'


@pytest.mark.parametrize("thinking", [None, asks.THINKING], ids=["without thinking", "with thinking"])
async def test_a_long_session_of_messages_is_exact(shared: Service, thinking: Json | None) -> None:
    """Each turn hands back all that came, thinking and its signature included."""
    history: list[Any] = []
    more: Json = {"thinking": thinking} if thinking else {}
    async with sdks.anthropic(shared) as client:
        for city in CITIES:
            history.append({"role": "user", "content": question(city)})
            asked = {"model": HAIKU, "max_tokens": 4000, "tools": asks.MESSAGES_TOOLS, "messages": history, **more}
            called = await said(client, history, asked)
            calls = [block for block in called.content if block.type == "tool_use"]
            assert {(call.name, json.dumps(call.input)) for call in calls} == {
                ("get_weather", json.dumps({"city": city})),
                ("get_time", json.dumps({"city": city})),
            }
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": rain(city)} for call in calls]
            history.append({"role": "user", "content": results})
            answered = await said(client, history, asked)
            assert answered.stop_reason == "end_turn"
            assert f"rain over {city}" in answered.content[-1].text
    assert len(history) == 4 * len(CITIES)


async def said(client: anthropic.AsyncAnthropic, history: list[Any], asked: Json) -> Any:
    async with client.messages.stream(**asked) as stream:
        message = await stream.get_final_message()
    history.append({"role": "assistant", "content": message.content})
    return message


async def test_anthropics_own_tool_runner_runs_to_the_end(shared: Service) -> None:
    asked_for: list[str] = []

    @beta_async_tool
    async def get_weather(city: str) -> str:
        """Get the weather of a city.

        Args:
            city: its name
        """
        asked_for.append(city)
        return rain(city)

    async with sdks.anthropic(shared) as client:
        runner = client.beta.messages.tool_runner(
            model=HAIKU,
            max_tokens=1000,
            tools=[get_weather],
            messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
        )
        message = await runner.until_done()

    assert asked_for == ["Oslo"]
    assert "rain over Oslo" in message.content[-1].text  # type: ignore[union-attr]  # it speaks last


async def test_a_long_session_of_chat_is_exact(shared: Service) -> None:
    history: list[Any] = [{"role": "system", "content": "You are a weather service."}]
    async with sdks.openai(shared) as client:
        for city in CITIES:
            history.append({"role": "user", "content": question(city)})
            asked: Any = {"model": HAIKU, "messages": history, "tools": asks.CHAT_TOOLS, "reasoning_effort": "low"}
            message = await completed(client, history, asked)
            calls = message["tool_calls"]
            assert sorted(call["function"]["name"] for call in calls) == ["get_time", "get_weather"]
            assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": city}] * 2
            history += [{"role": "tool", "tool_call_id": call["id"], "content": rain(city)} for call in calls]
            assert f"rain over {city}" in (await completed(client, history, asked))["content"]
    assert len(history) == 1 + 5 * len(CITIES)


async def completed(client: Any, history: list[Any], asked: Json) -> Json:
    state = ChatCompletionStreamState[None]()
    async for chunk in await client.chat.completions.create(**asked, stream=True):
        state.handle_chunk(chunk)
    message: Json = state.current_completion_snapshot.choices[0].message.to_dict()
    for call in message.get("tool_calls") or []:
        call.pop("index", None)
    history.append(message)
    return message


def references(output: Sequence[Any]) -> list[Json]:
    return [{"type": "item_reference", "id": item.id} for item in output]


def items(output: Sequence[Any]) -> list[Json]:
    return [item.to_dict() for item in output]


@pytest.mark.parametrize("handed_back", [items, references], ids=["as items", "as references"])
async def test_a_long_session_of_responses_is_exact(shared: Service, handed_back: Any) -> None:
    history: list[Any] = []
    async with sdks.openai(shared) as client:
        for city in CITIES:
            history.append({"role": "user", "content": question(city)})
            asked: Any = {"model": HAIKU, "tools": asks.RESPONSES_TOOLS, "reasoning": {"effort": "low"}}
            called = await client.responses.create(**asked, input=history)
            history += handed_back(called.output)
            history += results(called.output, city)
            answered = await client.responses.create(**asked, input=history)
            assert f"rain over {city}" in answered.output_text
            history += handed_back(answered.output)


async def test_a_long_session_goes_on_from_response_to_response(shared: Service) -> None:
    previous: str | None = None
    numbers = count(1)
    async with sdks.openai(shared) as client:
        for city in CITIES[:6]:
            asked: Any = {"model": HAIKU, "tools": asks.RESPONSES_TOOLS, "reasoning": {"effort": "low"}}
            async with client.responses.stream(**asked, input=question(city), previous_response_id=previous) as stream:
                called = await stream.get_final_response()
            answered = await client.responses.create(
                **asked, input=results(called.output, city), previous_response_id=called.id
            )
            previous = answered.id
            assert f"rain over {city}" in answered.output_text
            listed = await client.responses.input_items.list(previous, order="asc", limit=100)
            asked_for = [item for item in listed.data if item.type == "message" and item.role == "user"]
            assert len(asked_for) == next(numbers)


def results(output: Sequence[Any], city: str) -> list[Any]:
    calls = [item for item in output if item.type == "function_call"]
    assert sorted(call.name for call in calls) == ["get_time", "get_weather"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": city}] * 2
    return [{"type": "function_call_output", "call_id": call.call_id, "output": rain(city)} for call in calls]
