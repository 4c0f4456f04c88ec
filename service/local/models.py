"""Finds the model of an id or ARN, and rejects the ids that Bedrock rejects."""

import re
from typing import NoReturn

from service.bedrock.catalog.resolution import Model, lookup
from service.local.refusal import LocalRefusal

_DEFAULT_MAX_TOKENS = 4_096  # for models whose limit is not in the catalogue

DEFAULT_MODEL_ID = "anthropic.claude-haiku-4-5-20251001-v1:0"
"""The model of ARNs that do not name one: application profiles, deployments, imported models."""

_BY_MEMBER = {
    "anthropic_version": DEFAULT_MODEL_ID,
    "max_tokens_to_sample": "anthropic.claude-v2:1",
    "inferenceConfig": "amazon.nova-lite-v1:0",
    "schemaVersion": "amazon.nova-lite-v1:0",
    "inputText": "amazon.titan-text-express-v1",
    "max_gen_len": "meta.llama3-8b-instruct-v1:0",
    "message": "cohere.command-r-v1:0",
    "maxTokens": "ai21.j2-mid-v1",
    "messages": "qwen.qwen3-32b-v1:0",
    "prompt": "mistral.mistral-7b-instruct-v0:2",
}
"""A body member that identifies a family, most specific first: an ARN without a model name answers in that family."""

_ARN = re.compile(r"arn:aws[a-z-]*:(?:bedrock|sagemaker):[a-z0-9-]*:\d*:([a-z-]+)/(.+)")
_OPAQUE_KINDS = frozenset({
    "application-inference-profile", "provisioned-model", "custom-model-deployment", "imported-model", "prompt-router",
    "default-prompt-router", "custom-model", "prompt", "endpoint",
})  # fmt: skip


def find_model(model_id: str, *, counting: bool = False) -> Model:
    """Find the model that answers. Models past their end of life still answer; the fault `eol` simulates that error.

    `counting`: CountTokens accepts the base id, which other operations can reject, and rejects profiles (recorded).

    Raises:
        LocalRefusal: the id is unknown, or Bedrock does not accept it for this operation.
    """
    if is_opaque_arn(model_id):
        return _listed(DEFAULT_MODEL_ID)
    arn = _ARN.fullmatch(model_id)
    plain = arn[2] if arn else model_id
    model = lookup(model_id)
    if model is None or not model.listed:
        return _unknown()
    geo = plain.removesuffix(model.id).rstrip(".") if plain.endswith(model.id) else ""
    if geo and geo not in model.geos:
        return _unknown()
    if counting:
        if geo:
            raise LocalRefusal(f"The provided model doesn't support counting tokens: {model_id}")
    elif model.profile_only and plain == model.id:
        raise LocalRefusal(
            f"Invocation of model ID {model_id} with on-demand throughput isn't supported. Retry your request with the "
            "ID or ARN of an inference profile that contains this model."
        )
    return model


def is_opaque_arn(model_id: str) -> bool:
    """Return whether an id is an ARN that does not name a model."""
    arn = _ARN.fullmatch(model_id)
    return arn is not None and arn[1] in _OPAQUE_KINDS and lookup(model_id) is None


def guess_model(body: object) -> Model:
    """Guess the model of such an ARN from a body of InvokeModel."""
    members = body.keys() if isinstance(body, dict) else set()
    return next((_listed(id_) for member, id_ in _BY_MEMBER.items() if member in members), _listed(DEFAULT_MODEL_ID))


def default_max_tokens(model: Model) -> int:
    """Return the token limit of an answer for requests without one."""
    return model.max_output_tokens or _DEFAULT_MAX_TOKENS


def _listed(model_id: str) -> Model:
    return lookup(model_id) or _unknown()


def _unknown() -> NoReturn:
    raise LocalRefusal("The provided model identifier is invalid.")
