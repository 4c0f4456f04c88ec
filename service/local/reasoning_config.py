"""Checks the reasoning parameters of Claude and Nova, which are the same on both APIs."""

from typing import Any

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local.refusal import LocalRefusal
from service.local.shapes import format_schema_error

_MIN_BUDGET_TOKENS = 1_024
_MIN_TOP_P = 0.95  # with thinking


def format_missing_reasoning(place: int, found: str) -> str:
    """Format the error about a missing block of reasoning."""
    return (
        f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When "
        "`thinking` is enabled, a final `assistant` message must start with a thinking block."
    )


class Sampling(Struct, frozen=True):
    """Claude's sampling parameters."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None

    def check(self) -> None:
        """Reject the values that Claude rejects together with thinking."""
        if self.temperature not in {None, 1.0}:
            raise LocalRefusal("`temperature` may only be set to 1 when thinking is enabled.")
        if self.top_p is not None and self.top_p < _MIN_TOP_P:
            raise LocalRefusal("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
        if self.top_k is not None:
            raise LocalRefusal("`top_k` must be unset when thinking is enabled.")


def check_claude_thinking(thinking: Any, model: Model, max_tokens: int | None, sampling: Sampling) -> bool:
    """Check Claude's `thinking` and return whether the model thinks."""
    if thinking is None:
        return False
    style = model.on("converse").reasoning
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "disabled":
        if model.always_reasons:
            raise LocalRefusal("thinking: this model always thinks; thinking.type cannot be disabled.")
        return False
    if style is False:
        raise LocalRefusal("thinking: this model does not support thinking.")
    if kind == "adaptive" and style in {"budget_or_adaptive", "adaptive", None}:
        sampling.check()
        return True
    if kind != "enabled" or style == "adaptive":
        raise LocalRefusal(
            f"thinking.type: {kind!r} is not supported for this model; use 'adaptive' and output_config.effort."
        )
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < _MIN_BUDGET_TOKENS:
        raise LocalRefusal(
            f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_MIN_BUDGET_TOKENS}"
        )
    if max_tokens is not None and max_tokens <= budget:
        raise LocalRefusal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    sampling.check()
    return True


def check_nova_reasoning(config: Any, model: Model, *, limited: bool) -> bool:
    """Check Nova 2's `reasoningConfig` and return whether the model reasons."""
    if config is None:
        return False
    if model.on("converse").reasoning is False:
        raise LocalRefusal(format_schema_error("", "Object contains unknown field `reasoningConfig`"))
    kind = config.get("type") if isinstance(config, dict) else None
    if kind not in {"enabled", "disabled"}:
        raise LocalRefusal(format_schema_error("reasoningConfig.type", "enabled or disabled is expected"))
    effort = config.get("maxReasoningEffort")
    if kind == "enabled" and effort not in {"low", "medium", "high"}:
        raise LocalRefusal(format_schema_error("reasoningConfig.maxReasoningEffort", "low, medium or high is expected"))
    if effort == "high" and limited:
        raise LocalRefusal("maxTokens, temperature and topP must be unset when maxReasoningEffort is high.")
    return bool(kind == "enabled")
