"""From a name to a model, and from a request to what is called."""

from datetime import date
from typing import Any

import pytest

from service.bedrock.catalog.model import Model
from service.bedrock.catalog.resolution import FAMILY_NAMES, MODELS, base_id, hidden_family, lookup, nearest, resolve
from service.bedrock.wires.families import FAMILIES
from service.errors import InvalidRequest
from service.generation import Message, Request, Text, Tool, ToolUse

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
TOOLS = (Tool("f", {"type": "object"}),)


def asked(model_id: str, **fields: Any) -> Request:
    """A short question."""
    return Request(model_id, **{"messages": (Message("user", (Text("Hello?"),)),), **fields})


IDS: dict[str, tuple[str, str]] = {
    "a bare id": (HAIKU, HAIKU),
    "a geo profile": (f"eu.{HAIKU}", HAIKU),
    "a global profile": (f"global.{HAIKU}", HAIKU),
    "a profile of GovCloud, which begins like one of the US": (
        "us-gov.anthropic.claude-haiku-5-5",
        "anthropic.claude-haiku-5-5",
    ),
    "a variant of provisioned throughput": ("amazon.titan-text-express-v1:0:8k", "amazon.titan-text-express-v1:0"),
    "a foundation model's ARN": (f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", HAIKU),
    "a profile's ARN in China": (f"arn:aws-cn:bedrock:cn-north-1:123456789012:inference-profile/apac.{HAIKU}", HAIKU),
    "an ARN in GovCloud": (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{HAIKU}", HAIKU),
    "an ARN in the European cloud": (f"arn:aws-eusc:bedrock:eusc-de-east-1::foundation-model/{HAIKU}", HAIKU),
    "an ARN in an isolated cloud": (f"arn:aws-iso-b:bedrock:us-isob-east-1::foundation-model/{HAIKU}", HAIKU),
    "a custom model's ARN, which names its base": (
        "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abcdefghijkl",
        "amazon.nova-lite-v1:0",
    ),
}


@pytest.mark.parametrize(("name", "bare"), IDS.values(), ids=IDS)
def test_a_name_is_reduced_to_the_base_id(name: str, bare: str) -> None:
    assert base_id(name) == bare
    model = lookup(name)
    assert model is not None
    assert model.id == bare


OPAQUE = {
    "an application profile": PROFILE,
    "an imported model": IMPORTED,
    "provisioned throughput": "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl",
    "a custom model's deployment": "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl",
    "a custom model without its base": "arn:aws:bedrock:us-east-1:123456789012:custom-model/abcdefghijkl",
    "a stored prompt": "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1",
    "a prompt router": "arn:aws:bedrock:us-east-1:123456789012:prompt-router/abcdefghijkl",
    "an endpoint of SageMaker's": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/mine",
    "an ARN of something else": "arn:aws:s3:::bucket",
    "a provider that nobody has met": "acme.model-1",
    "a word": "gpt",
}


@pytest.mark.parametrize("name", OPAQUE.values(), ids=OPAQUE)
def test_what_tells_nothing_goes_to_converse_as_it_is(name: str) -> None:
    assert lookup(name) is None
    target = resolve(asked(name))
    assert (target.model_id, target.api, target.streams, target.family) == (name, "converse", True, "tolerant")
    assert target.base_id == name


def test_the_control_plane_is_asked_about_application_profiles_alone() -> None:
    assert [name for name, model_id in OPAQUE.items() if hidden_family(model_id)] == ["an application profile"]
    assert not hidden_family(PROFILE, {PROFILE: (PROFILE, "nova")})
    assert hidden_family("mine", {"mine": (PROFILE, None)})


def test_what_the_control_plane_says_is_taken() -> None:
    behind = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    target = resolve(asked(PROFILE, api="invoke"), hidden=behind)
    assert (target.model_id, target.family, target.api) == (PROFILE, "claude_messages", "invoke")
    assert target.base_id == "anthropic.claude-3-haiku-20240307-v1:0"


PATTERNS = {
    "anthropic.claude-v1": "claude_text",
    "anthropic.claude-v2": "claude_text",
    "anthropic.claude-instant-v9": "claude_text",
    "anthropic.claude-opus-9": "claude_messages",
    "amazon.nova-9-ultra-v1:0": "nova",
    "amazon.titan-tg1-large": "titan",
    "meta.llama2-7b-chat-v1": "llama",
    "meta.llama5-1b": None,
    "cohere.command-r-v9:0": "command_r",
    "cohere.command-light-text-v99": "command",
    "ai21.j2-light-v1": "jurassic",
    "ai21.jamba-9": "openai_chat",
    "mistral.mixtral-8x22b": "mistral_prompt",
    "mistral.mistral-small-2402-v9:0": "mistral_prompt",
    "mistral.mistral-large-2407-v9:0": "mistral_chat",
    "mistral.mistral-large-9": "openai_chat",
    "deepseek.r1-v9:0": "deepseek_r1",
    "deepseek.v9": None,
    "openai.gpt-9": "openai_chat",
    "qwen.qwen9": "openai_chat",
    "writer.palmyra-x9": "openai_chat",
    "moonshotai.kimi-k9": "openai_chat",
    "minimax.minimax-m9": "openai_chat",
    "zai.glm-9": "openai_chat",
    "google.gemma-9": "openai_chat",
    "nvidia.nemotron-9": "openai_chat",
    "xai.grok-9": "openai_chat",
    "amazon.nova-canvas-v1:0": None,
    "amazon.nova-sonic-v1:0": None,
    "amazon.titan-embed-text-v2:0": None,
}


@pytest.mark.parametrize(("model_id", "family"), PATTERNS.items(), ids=PATTERNS)
def test_a_model_without_a_row_gets_its_family_by_its_pattern(model_id: str, family: str | None) -> None:
    model = lookup(model_id)
    assert (model and model.family) == family
    if model and model_id not in {"anthropic.claude-v1", "anthropic.claude-v2"}:
        assert not model.listed


APIS: dict[str, tuple[str, dict[str, Any], tuple[str, bool]]] = {
    "Converse where the model has it": (HAIKU, {}, ("converse", True)),
    "InvokeModel by request": (HAIKU, {"api": "invoke"}, ("invoke", True)),
    "Jurassic-2 whole, for it never streamed": ("ai21.j2-ultra-v1", {}, ("invoke", False)),
    "Jurassic-2 whole, on Converse too": ("ai21.j2-ultra-v1", {"api": "converse"}, ("converse", False)),
    "Command by Converse": ("cohere.command-text-v14", {}, ("converse", True)),
    "a dialogue with Command by InvokeModel, for Converse takes a single turn": (
        "cohere.command-text-v14",
        {
            "messages": (
                Message("user", (Text("a"),)),
                Message("assistant", (Text("b"),)),
                Message("user", (Text("c"),)),
            )
        },
        ("invoke", True),
    ),
    "Llama whole with tools": ("us.meta.llama4-scout-17b-instruct-v1:0", {"tools": TOOLS}, ("converse", False)),
    "Llama streaming without": ("us.meta.llama4-scout-17b-instruct-v1:0", {}, ("converse", True)),
    "Llama whole with calls in its history": (
        "us.meta.llama3-3-70b-instruct-v1:0",
        {
            "messages": (
                Message("user", (Text("a"),)),
                Message("assistant", (ToolUse("c", "f", {}),)),
            )
        },
        ("converse", False),
    ),
    "Mistral of 2402 whole with tools": ("mistral.mistral-large-2402-v1:0", {"tools": TOOLS}, ("converse", False)),
    "Claude streaming with tools": (HAIKU, {"tools": TOOLS}, ("converse", True)),
    "an opaque id by InvokeModel, read tolerantly": (IMPORTED, {"api": "invoke"}, ("invoke", True)),
}


@pytest.mark.parametrize(("model_id", "fields", "expected"), APIS.values(), ids=APIS)
def test_a_request_goes_to(model_id: str, fields: dict[str, Any], expected: tuple[str, bool]) -> None:
    target = resolve(asked(model_id, **fields))
    assert (target.api, target.streams) == expected


def test_the_setting_holds_where_the_request_leaves_the_api_open() -> None:
    assert resolve(asked(HAIKU), api="invoke").api == "invoke"
    assert resolve(asked(HAIKU, api="converse"), api="invoke").api == "converse"


def test_an_alias_stands_for_an_id_and_may_tell_the_family() -> None:
    aliases = {"fast": (f"eu.{HAIKU}", None), "mine": (IMPORTED, "llama4"), "ours": (IMPORTED, "openai_chat")}
    fast = resolve(asked("fast"), aliases=aliases)
    assert (fast.model_id, fast.model.id) == (f"eu.{HAIKU}", HAIKU)
    mine = resolve(asked("mine", api="invoke"), aliases=aliases)
    assert (mine.model_id, mine.family, mine.model.series) == (IMPORTED, "llama", "llama4")
    assert resolve(asked("ours", api="invoke"), aliases=aliases).family == "openai_chat"


def test_an_alias_of_a_family_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no family 'lama'"):
        resolve(asked("mine"), aliases={"mine": (IMPORTED, "lama")})
    assert FAMILIES.keys() <= FAMILY_NAMES


def test_the_nearest_names_are_told_with_the_prefix_that_was_asked_for() -> None:
    assert nearest("anthropic.claude-3-haiku-20240307-v1")[0] == "anthropic.claude-3-haiku-20240307-v1:0"
    assert nearest("eu.anthropic.claude-haiku-4.5")[0] == f"eu.{HAIKU}"
    assert nearest("openai.gpt-oss-120b")[0] == "openai.gpt-oss-120b-1:0"
    assert len(nearest("anthropic.claude-opus", 5)) == 5
    assert nearest("?") == []


def test_who_asks_for_a_model_at_its_end_is_told_of_living_ones() -> None:
    names = nearest("us.anthropic.claude-3-haiku-20240307-v1:0")
    assert names
    models = [lookup(name) for name in names]
    assert all(model is not None and not model.ended for model in models)
    assert all(name.startswith("us.") for name in names)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_row_is_sound(model: Model) -> None:
    assert model.family in FAMILIES
    assert model.series
    assert model.name
    assert model.max_output_tokens
    assert model.output_ceiling
    assert model.context_tokens
    assert model.max_output_tokens <= model.output_ceiling
    assert model.geos or not model.profile_only
    assert lookup(model.id) == model
    for profile in model.profiles:
        assert lookup(profile) == model
    if model.end_of_life and len(model.end_of_life) == 10:
        date.fromisoformat(model.end_of_life)
    assert model.ended == bool(model.end_of_life and model.end_of_life <= "2026-11-22")


def test_no_model_has_two_rows() -> None:
    assert len({model.id for model in MODELS}) == len(MODELS)


FACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Claude 3 Haiku is at its end": ("anthropic.claude-3-haiku-20240307-v1:0", {"ended": True}),
    "Jamba 1.5 is in its last days": (
        "ai21.jamba-1-5-mini-v1:0",
        {"ended": False, "end_of_life": "2026-11-26"},
    ),
    "Haiku 4.5 is sold through profiles alone": (HAIKU, {"profile_only": True, "max_output_tokens": 64000}),
    "Sonnet 3.5 of June 2024 is not": ("anthropic.claude-3-5-sonnet-20240620-v1:0", {"profile_only": False}),
    "Opus 5.5 always thinks": ("anthropic.claude-opus-5-5", {"always_reasons": True}),
    "gpt-oss reasons in tags": ("openai.gpt-oss-20b-1:0", {"always_reasons": True, "reasoning_tag": "reasoning"}),
}


@pytest.mark.parametrize(("model_id", "facts"), FACTS.values(), ids=FACTS)
def test_it_is_known_that(model_id: str, facts: dict[str, Any]) -> None:
    model = lookup(model_id)
    assert {name: getattr(model, name) for name in facts} == facts


def test_a_model_of_profiles_is_named_by_them() -> None:
    haiku, titan = lookup(HAIKU), lookup("amazon.nova-lite-v1:0")
    assert haiku is not None
    assert titan is not None
    assert haiku.names[0] == f"global.{HAIKU}"
    assert titan.names[:2] == ("amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0")
