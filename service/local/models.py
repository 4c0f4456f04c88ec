"""Which model an id means here, and which ids this Bedrock does not take."""

import re
from typing import NoReturn

from service.bedrock.catalog.resolution import Model, lookup
from service.local.refusal import LocalRefusal

_SOME = 4_096  # tokens, where the catalogue does not know

HIDDEN = "anthropic.claude-haiku-4-5-20251001-v1:0"
"""The model behind ARNs that tell none: application profiles, deployments, imported models."""

_BY_KEY = {
    "anthropic_version": HIDDEN,
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
"""A key that tells a family, most telling first: what hides behind an ARN answers as its body wants it."""

_ARN = re.compile(r"arn:aws[a-z-]*:(?:bedrock|sagemaker):[a-z0-9-]*:\d*:([a-z-]+)/(.+)")
_HIDING = frozenset({
    "application-inference-profile", "provisioned-model", "custom-model-deployment", "imported-model", "prompt-router",
    "default-prompt-router", "custom-model", "prompt", "endpoint",
})  # fmt: skip


def find(model_id: str, *, counting: bool = False) -> Model:
    """Find the model that shall answer. Models at their end of life live on here; the fault `eol` shows that end.

    `counting`: CountTokens wants the base id, which all else may refuse, and refuses profiles (recorded).

    Raises:
        Refused: the id is unknown, or not one to be called by.
    """
    if is_hidden(model_id):
        return _listed(HIDDEN)
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


def is_hidden(model_id: str) -> bool:
    """Tell whether an id is an ARN that does not say which model is behind it."""
    arn = _ARN.fullmatch(model_id)
    return arn is not None and arn[1] in _HIDING and lookup(model_id) is None


def behind(body: object) -> Model:
    """Guess from an InvokeModel body what model somebody may have put behind such an ARN."""
    keys = body.keys() if isinstance(body, dict) else set()
    return next((_listed(id_) for key, id_ in _BY_KEY.items() if key in keys), _listed(HIDDEN))


def most_of(model: Model) -> int:
    """Return how long an answer may be where the request does not say."""
    return model.max_output_tokens or _SOME


def _listed(model_id: str) -> Model:
    return lookup(model_id) or _unknown()


def _unknown() -> NoReturn:
    raise LocalRefusal("The provided model identifier is invalid.")
