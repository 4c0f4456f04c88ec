"""Anthropic's Bedrock client works with the local Bedrock."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import AsyncAnthropicBedrock

from tests.local.bedrock import CLAUDE, Local

TOOL: Any = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
async def anthropic(local: Local) -> AsyncIterator[AsyncAnthropicBedrock]:
    keys: Any = {"aws_access_key": "local", "aws_secret_key": "local", "aws_region": "us-east-1"}
    async with AsyncAnthropicBedrock(base_url=local.url, max_retries=0, **keys) as client:
        yield client


@pytest.mark.parametrize("model", [CLAUDE, "global.anthropic.claude-opus-5-5"])
async def test_a_message_is_created(anthropic: AsyncAnthropicBedrock, model: str) -> None:
    answer = await anthropic.messages.create(
        model=model, max_tokens=300, messages=[{"role": "user", "content": "Why do wells flow?"}]
    )

    assert answer.stop_reason == "end_turn"
    assert answer.content[-1].type == "text"
    assert "wells" in answer.content[-1].text
    assert answer.usage.output_tokens > 20


async def test_a_message_is_streamed(anthropic: AsyncAnthropicBedrock) -> None:
    question: Any = [{"role": "user", "content": "The weather in Oslo?"}]
    async with anthropic.messages.stream(model=CLAUDE, max_tokens=300, messages=question, tools=[TOOL]) as stream:
        message = await stream.get_final_message()

    assert message.stop_reason == "tool_use"
    assert message.content[-1].type == "tool_use"
    assert message.content[-1].input == {"city": "Oslo"}
