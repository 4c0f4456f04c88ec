"""Which model an id means here, and which ids this Bedrock does not take."""

import re
from typing import NoReturn

from service.bedrock.catalog import Model, lookup
from service.local.refusal import Refused

_SOME = 4_096  # tokens, where the catalogue does not know

HIDDEN = "anthropic.claude-haiku-4-5-20251001-v1:0"
"""The model behind ARNs that tell none: application profiles, deployments, imported models."""

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
    arn = _ARN.fullmatch(model_id)
    plain = arn[2] if arn else model_id
    model = lookup(model_id)
    if model is None and arn and arn[1] in _HIDING:
        return lookup(HIDDEN) or _unknown()
    if model is None or not model.listed:
        return _unknown()
    geo = plain.removesuffix(model.id).rstrip(".") if plain.endswith(model.id) else ""
    if geo and geo not in model.geos:
        return _unknown()
    if counting:
        if geo:
            raise Refused(f"The provided model doesn't support counting tokens: {model_id}")
    elif model.profile_only and plain == model.id:
        raise Refused(
            f"Invocation of model ID {model_id} with on-demand throughput isn't supported. Retry your request with the "
            "ID or ARN of an inference profile that contains this model."
        )
    return model


def most_of(model: Model) -> int:
    """Return how long an answer may be where the request does not say."""
    return model.max_output_tokens or _SOME


def _unknown() -> NoReturn:
    raise Refused("The provided model identifier is invalid.")
