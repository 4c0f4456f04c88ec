"""Models in one shape for both makers' clients, and the counting of tokens."""

from typing import Any

import anthropic
import openai
import pytest

from service.errors import CODES
from tests.dialect_parity import asks, sdks
from tests.dialect_parity.conftest import NOVA, PROFILE
from tests.dialect_parity.sdks import HAIKU, with_fault
from tests.harness import Json, Service, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

INFERENCE_PROFILE = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{HAIKU}"


async def test_both_clients_list_what_may_be_asked_for(shared: Service) -> None:
    async with sdks.openai(shared) as openai_client, sdks.anthropic(shared) as anthropic_client:
        theirs = [model.id async for model in openai_client.models.list()]
        paged = [model.id async for model in anthropic_client.models.list(limit=7)]

    assert theirs == paged
    assert theirs[:2] == ["fast", "mine"]
    assert {HAIKU, NOVA} <= set(theirs)
    assert len(set(theirs)) == len(theirs)


NAMES = (HAIKU, NOVA, "fast", "mine", INFERENCE_PROFILE, PROFILE, "mistral.mistral-7b-instruct-v0:2")


@pytest.mark.parametrize("name", NAMES)
async def test_both_clients_find_a_model_by_any_of_its_names(shared: Service, name: str) -> None:
    async with sdks.openai(shared) as openai_client, sdks.anthropic(shared) as anthropic_client:
        assert (await openai_client.models.retrieve(name)).id == name
        found = await anthropic_client.models.retrieve(name)

    assert found.id == name
    assert found.display_name
    assert found.max_input_tokens


async def test_an_unknown_name_is_not_found_and_its_neighbours_are_named(shared: Service) -> None:
    async with sdks.openai(shared) as openai_client, sdks.anthropic(shared) as anthropic_client:
        with pytest.raises(openai.NotFoundError, match="nova-lite") as caught:
            await openai_client.models.retrieve("nova-lite")
        with pytest.raises(anthropic.NotFoundError, match="nova-lite"):
            await anthropic_client.models.retrieve("nova-lite")

    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("name", ["fast", "mine", INFERENCE_PROFILE, PROFILE])
@pytest.mark.parametrize("surface", ["chat", "responses", "messages"])
async def test_any_name_of_a_model_answers_under_that_name(shared: Service, surface: str, name: str) -> None:
    ask = {"chat": sdks.chat, "responses": sdks.responses, "messages": sdks.messages}[surface]
    answer = await ask(shared, getattr(asks, surface)("Hi", model=name))

    assert answer["model"] == name


async def test_without_a_model_the_default_one_answers(shared: Service) -> None:
    answer = await shared.http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})

    assert answer.json()["model"] == HAIKU


COUNTED: dict[str, Json] = {
    "a text": {},
    "tools": {"tools": asks.MESSAGES_TOOLS},
    "a system prompt": {"system": "You are a well."},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}


@pytest.mark.parametrize("model", [HAIKU, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", NOVA, "fast"])
@pytest.mark.parametrize("more", COUNTED.values(), ids=COUNTED)
async def test_what_is_counted_is_what_is_paid(shared: Service, model: str, more: Json) -> None:
    messages: Any = [{"role": "user", "content": "How many tokens are there in this?"}]
    async with sdks.anthropic(shared) as client:
        counted = await client.messages.count_tokens(model=model, messages=messages, **more)
        paid = await client.messages.create(model=model, messages=messages, max_tokens=2000, **more)

    assert counted.input_tokens == paid.usage.input_tokens


async def test_where_a_model_cannot_count_an_estimate_says_that_it_is_one(shared: Service) -> None:
    cannot = "http=ValidationException+message=The%20provided%20model%20doesn't%20support%20counting%20tokens"
    asked = asks.messages("word " * 1000, tools=asks.MESSAGES_TOOLS)
    del asked["max_tokens"]
    async with sdks.anthropic(shared) as client:
        true = await client.messages.count_tokens(**asked)
        counted = await client.messages.count_tokens(**with_fault(asked, cannot))

    assert counted.to_dict()["estimated"] is True
    assert 0.5 < counted.input_tokens / true.input_tokens < 2


async def test_a_count_that_fails_is_worth_a_retry_of_the_clients() -> None:
    async with running() as service, sdks.anthropic(service) as client:
        asked = asks.messages("Hi")
        del asked["max_tokens"]
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.count_tokens(**with_fault(asked, "throttle*"))

    assert "x-should-retry" not in caught.value.response.headers
    assert caught.value.api_message == CODES["throttled"].sentence
