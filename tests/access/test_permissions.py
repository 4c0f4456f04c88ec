"""A key's permissions: its models by any of their names, and the longest answer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.access.holders import EVENTS, Holder, held
from tests.harness import CLAUDE, Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOVA = "us.amazon.nova-lite-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3"
BARE = "anthropic.claude-haiku-4-5-20251001-v1:0"
ALIASES = {"fast": NOVA, "mine": {"id": PROFILE, "family": "claude_messages"}}
POWERS: dict[str, Json] = {
    "claude": {"models": ["anthropic.*"]},
    "worldwide": {"models": ["global.anthropic.*"]},
    "fast": {"models": ["fast"]},
    "nova": {"models": ["us.amazon.nova-lite*", "nothing"]},
    "profiles": {"models": ["arn:aws:bedrock:*:application-inference-profile/*"]},
    "brief": {"max_tokens": 40},
    "chief": {"scopes": ["admin"], "models": ["fast"]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def powers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Holder]]:
    async with held(tmp_path_factory.mktemp("keys"), POWERS, model_aliases=ALIASES) as everybody:
        yield {holder.id: holder for holder in everybody}


MAY = {
    "the model by its own id, asked for by its profile": ("claude", CLAUDE, True),
    "the model by its own id": ("claude", BARE, True),
    "another model": ("claude", NOVA, False),
    "another model by its alias": ("claude", "fast", False),
    "a profile": ("worldwide", CLAUDE, True),
    "the same model by another profile": ("worldwide", f"us.{BARE}", False),
    "an alias": ("fast", "fast", True),
    "what an alias stands for, asked for by its id": ("fast", NOVA, False),
    "an alias whose target is named": ("nova", "fast", True),
    "an ARN": ("profiles", PROFILE, True),
    "an alias of an ARN": ("profiles", "mine", True),
    "an unknown model": ("claude", "unheard-of", False),
    "an admin's other models": ("chief", CLAUDE, False),
    "an admin's own": ("chief", "fast", True),
}


@pytest.mark.parametrize(("name", "model", "may"), MAY.values(), ids=MAY)
async def test_a_key_calls_its_own_models_only(powers: dict[str, Holder], name: str, model: str, *, may: bool) -> None:
    holder = powers[name]
    before = len(await holder.service.calls())
    messages = [{"role": "user", "content": "Hi"}]
    asked: list[tuple[str, Json]] = [
        ("/api/generate", {"prompt": "Hi", "model_id": model}),
        ("/api/generate/stream", {"prompt": "Hi", "model_id": model}),
        ("/v1/chat/completions", {"model": model, "messages": messages}),
        ("/v1/responses", {"model": model, "input": "Hi"}),
        ("/v1/messages", {"model": model, "messages": messages, "max_tokens": 20}),
        ("/v1/messages/count_tokens", {"model": model, "messages": messages}),
    ]
    for path, body in asked:
        answer = await holder.ask("POST", path, body)
        assert (answer.status_code != 403) == may, (path, answer.text)
        if not may:
            error = answer.json()["error"]
            sentence = error["message"] if isinstance(error, dict) else error
            assert sentence.startswith("model_id: this API key may not use ")
    assert (len(await holder.service.calls()) > before) == may


async def test_the_error_names_a_model_of_the_catalogue_and_repeats_nothing_else(powers: dict[str, Holder]) -> None:
    known = (await powers["fast"].generate(model_id=CLAUDE)).json()["error"]
    unknown = (await powers["fast"].generate(model_id="what-was-typed")).json()["error"]

    assert known == f"model_id: this API key may not use the model {BARE}."
    assert unknown == "model_id: this API key may not use this model."


async def test_a_conversations_model_must_be_allowed_by_the_key(powers: dict[str, Holder]) -> None:
    fast = powers["fast"]
    made = (await fast.ask("POST", "/api/conversations", {"model_id": CLAUDE})).json()

    path = f"/api/conversations/{made['id']}/messages"
    assert (await fast.ask("POST", path, {"content": "Hi"})).status_code == 403
    assert (await fast.ask("POST", path, {"content": "Hi", "model_id": "fast"})).status_code == 200


async def test_an_event_source_reads_that_its_key_may_not_use_the_model(powers: dict[str, Holder]) -> None:
    fast = powers["fast"]

    answer = await fast.ask("GET", f"/api/generate?prompt=Hi&model_id={CLAUDE}", **EVENTS)

    assert answer.status_code == 200
    assert '"status":403' in answer.text


async def test_the_lists_have_the_models_of_the_key(powers: dict[str, Holder]) -> None:
    async def listed(name: str) -> tuple[set[str], set[str]]:
        native = (await powers[name].ask("GET", "/api/models")).json()["models"]
        others = (await powers[name].ask("GET", "/v1/models")).json()["data"]
        return {model["id"] for model in native}, {model["id"] for model in others}

    everything, _ = await listed("brief")
    claude, claude_cards = await listed("claude")
    fast, fast_cards = await listed("fast")

    assert CLAUDE in claude
    assert all("anthropic." in model for model in claude | claude_cards)
    assert claude < everything
    assert fast == {NOVA}  # it is listed by its alias
    assert fast_cards >= {"fast"}
    assert (await powers["claude"].ask("GET", "/api/models")).json()["default"] == CLAUDE
    assert (await powers["fast"].ask("GET", "/api/models")).json()["default"] is None


async def test_a_model_can_be_read_by_keys_that_may_use_it(powers: dict[str, Holder]) -> None:
    assert (await powers["claude"].ask("GET", f"/v1/models/{CLAUDE}")).status_code == 200
    assert (await powers["claude"].ask("GET", f"/v1/models/{NOVA}")).status_code == 403
    assert (await powers["fast"].ask("GET", "/v1/models/fast")).status_code == 200
    assert (await powers["fast"].ask("GET", f"/v1/models/{CLAUDE}")).status_code == 403


async def test_a_native_request_above_the_limit_is_refused_with_its_field(powers: dict[str, Holder]) -> None:
    brief = powers["brief"]

    answer = await brief.generate(max_tokens=41)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "max_tokens", "message": "must be at most 40 for this key"}]
    assert (await brief.generate(max_tokens=40)).status_code == 200


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"max_tokens": 4000}, "extra.max_tokens"),
        ({"inferenceConfig": {"maxTokens": 4000}}, "extra.inferenceConfig.maxTokens"),
        ({"max_gen_len": 4000}, "extra.max_gen_len"),
        ({"textGenerationConfig": {"maxTokenCount": 4000}}, "extra.textGenerationConfig.maxTokenCount"),
        ({"n": 10}, "extra.n"),
        ({"num_generations": 5}, "extra.num_generations"),
    ],
)
async def test_other_members_for_the_length_are_refused(powers: dict[str, Holder], extra: Json, field: str) -> None:
    answer = await powers["brief"].generate(extra=extra)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "4000" not in answer.text


LONG = "Write a very long story about a well. Take at least a thousand words."


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"prompt": LONG}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": LONG}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": LONG}], "max_tokens": 5000}),
        ("/v1/responses", {"input": LONG, "max_output_tokens": 5000}),
        ("/v1/responses", {"input": LONG}),
        ("/v1/messages", {"messages": [{"role": "user", "content": LONG}], "max_tokens": 5000}),
    ],
)
async def test_the_limit_applies_without_max_tokens_and_in_other_dialects(
    powers: dict[str, Holder], path: str, body: Json
) -> None:
    answer = await powers["brief"].ask("POST", path, body)

    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    assert 0 < (usage.get("output_tokens") or usage.get("completion_tokens")) <= 40


async def test_reasoning_stays_below_the_limit_or_is_refused(powers: dict[str, Holder]) -> None:
    answer = await powers["brief"].generate(reasoning={"budget_tokens": 2000}, model_id=CLAUDE)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "reasoning.budget_tokens"
