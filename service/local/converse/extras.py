"""`additionalModelRequestFields`: what a model takes on Converse beyond its common parameters."""

from typing import Any

from msgspec import Struct

from service.bedrock.catalog import Model
from service.local.converse.shapes import ConverseRequest
from service.local.refusal import Refused
from service.local.shapes import malformed

_LEAST_BUDGET = 1_024  # tokens of thinking
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max", "none")

_CLAUDE = {
    "thinking", "output_config", "tool_choice", "top_k", "anthropic_beta", "tools", "metadata", "anthropic_version",
    "system", "stop_sequences", "max_tokens", "temperature", "top_p", "context_management",
}  # fmt: skip
_NOVA = {"inferenceConfig", "reasoningConfig"}


class Extras(Struct, frozen=True):
    """What the additional fields ask for."""

    reasoning: bool = False
    choice: str = ""
    parallel: bool = True
    stop_sequences: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


def read_extras(request: ConverseRequest, model: Model) -> Extras:
    """Read and check the additional fields.

    Raises:
        Refused: the model does not take them.
    """
    fields = request.additional_model_request_fields
    if fields is None:
        return Extras()
    if not isinstance(fields, dict):
        raise Refused("The additionalModelRequestFields field must be a JSON object.")
    if model.family == "claude_messages":
        return _claude(fields, request, model)
    if model.family == "nova":
        return _nova(fields, request, model)
    return _others(fields, model)


def _claude(fields: dict[str, Any], request: ConverseRequest, model: Model) -> Extras:
    _only(fields, _CLAUDE, "{}: Extra inputs are not permitted")
    if "top_k" in fields and model.on("converse").top_k is False:
        raise Refused("top_k is not supported for this model.")
    config = request.inference_config
    sampled = config.temperature if config.temperature not in {None, 1.0} else None
    thinks = claude_thinking(fields.get("thinking"), model, config.max_tokens, sampled)
    config_choice = request.tool_config.tool_choice if request.tool_config else None
    forced = config_choice is not None and (config_choice.any is not None or config_choice.tool is not None)
    if thinks and forced:
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
    if thinks and fields["thinking"].get("type") == "enabled":
        _check_thought_first(request)
    if thinks and request.messages[-1].role == "assistant":
        raise Refused("Expected the final message not to be an assistant message: no prefill when thinking is enabled.")
    choice = fields.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    output = fields.get("output_config")
    form = output.get("format") if isinstance(output, dict) else None
    return Extras(
        reasoning=thinks,
        choice="none" if kind == "none" else "",
        parallel=not (isinstance(choice, dict) and choice.get("disable_parallel_tool_use")),
        schema=form.get("schema") if isinstance(form, dict) else None,
    )


def _check_thought_first(request: ConverseRequest) -> None:
    """An answer whose tools are just being answered must have begun with its reasoning."""
    answering = request.messages[-1].content[0].tool_result is not None
    for place in range(len(request.messages) - 1, -1, -1) if answering else ():
        message = request.messages[place]
        if message.role == "assistant":
            if message.content[0].reasoning_content is None:
                raise Refused(thought_first(place, "text" if message.content[0].text is not None else "tool_use"))
            return


def thought_first(place: int, found: str) -> str:
    """Say that a block of reasoning is missing."""
    return (
        f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When "
        "`thinking` is enabled, a final `assistant` message must start with a thinking block."
    )


def claude_thinking(thinking: Any, model: Model, max_tokens: int | None, temperature: float | None) -> bool:
    """Check Claude's `thinking` and tell whether it thinks."""
    if thinking is None:
        return False
    style = model.on("converse").reasoning
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "disabled":
        if model.always_reasons:
            raise Refused("thinking: this model always thinks; thinking.type cannot be disabled.")
        return False
    if style is False:
        raise Refused("thinking: this model does not support thinking.")
    if kind == "adaptive" and style in {"budget_or_adaptive", "adaptive", None}:
        return True
    if kind != "enabled" or style == "adaptive":
        raise Refused(
            f"thinking.type: {kind!r} is not supported for this model; use 'adaptive' and output_config.effort."
        )
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < _LEAST_BUDGET:
        raise Refused(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
    if max_tokens is not None and max_tokens <= budget:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if temperature is not None:
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    return True


def _nova(fields: dict[str, Any], request: ConverseRequest, model: Model) -> Extras:
    _only(
        fields,
        _NOVA,
        "Malformed input request: #: extraneous key [{}] is not permitted, please reformat your input and try again.",
    )
    config = request.inference_config
    limited = config.max_tokens is not None or config.temperature is not None or config.top_p is not None
    return Extras(reasoning=nova_reasoning(fields.get("reasoningConfig"), model, limited=limited))


def nova_reasoning(config: Any, model: Model, *, limited: bool) -> bool:
    """Check Nova 2's `reasoningConfig` and tell whether it reasons."""
    if config is None:
        return False
    if model.on("converse").reasoning is False:
        raise Refused(malformed("", "Object contains unknown field `reasoningConfig`"))
    kind = config.get("type") if isinstance(config, dict) else None
    if kind not in {"enabled", "disabled"}:
        raise Refused(malformed("reasoningConfig.type", "enabled or disabled is expected"))
    effort = config.get("maxReasoningEffort")
    if kind == "enabled" and effort not in {"low", "medium", "high"}:
        raise Refused(malformed("reasoningConfig.maxReasoningEffort", "low, medium or high is expected"))
    if effort == "high" and limited:
        raise Refused("maxTokens, temperature and topP must be unset when maxReasoningEffort is high.")
    return bool(kind == "enabled")


def _others(fields: dict[str, Any], model: Model) -> Extras:
    """The remaining families reason by one of three words, some only by one of their values."""
    style = model.on("converse").reasoning
    effort = fields.get("reasoning_effort")
    if style in {False, "inherent"} and any(
        name in fields for name in ("thinking", "reasoning_effort", "reasoning_config", "reasoning")
    ):
        raise Refused("This model doesn't support the reasoning field in additionalModelRequestFields. Remove it.")
    if style == "high_only" and effort not in {None, "high"}:
        raise Refused("reasoning_effort: high is the only value that this model takes.")
    nested = fields.get("reasoning")
    if isinstance(nested, dict):
        effort = nested.get("effort")
    if effort is None:
        effort = fields.get("reasoning_config")
    if effort is not None and effort not in _EFFORTS:
        raise Refused(f"reasoning_effort: {effort!r} is not one of {', '.join(_EFFORTS)}.")
    stop = fields.get("stop", ())
    return Extras(
        reasoning=effort not in {None, "none"},
        stop_sequences=tuple(text for text in stop if isinstance(text, str)) if isinstance(stop, list) else (),
    )


def _only(fields: dict[str, Any], known: set[str], sentence: str) -> None:
    for name in fields:
        if name not in known:
            raise Refused(sentence.format(name))
