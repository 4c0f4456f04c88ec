"""`additionalModelRequestFields`: what a model accepts on Converse beyond the common parameters."""

from typing import Any

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local import chat_shapes
from service.local.converse.shapes import ConverseRequest
from service.local.reasoning_config import (
    Sampling,
    check_claude_thinking,
    check_nova_reasoning,
    format_missing_reasoning,
)
from service.local.refusal import LocalRefusal
from service.local.shapes import format_schema_error

_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max", "none")

_CLAUDE = {
    "thinking", "output_config", "tool_choice", "top_k", "anthropic_beta", "tools", "metadata", "anthropic_version",
    "system", "stop_sequences", "max_tokens", "temperature", "top_p", "context_management",
}  # fmt: skip
_NOVA = {"inferenceConfig", "reasoningConfig"}
_REASONING = {"reasoning_effort", "reasoning_config", "reasoning"}
_CHAT = set(chat_shapes.OpenAIBody.__struct_fields__) - {"messages", "model", "stream", "stream_options", "tools"}
_COHERE = {"k", "return_likelihoods", "num_generations", "logit_bias", "truncate"}
_ACCEPTED: dict[str, set[str]] = {
    "claude_text": {"top_k", "anthropic_version"},
    "titan": set(),
    "llama": set(),
    "deepseek_r1": set(),
    "command": _COHERE,
    "command_r": {"k", "documents", "search_queries_only", "prompt_truncation", "frequency_penalty", "presence_penalty",
                  "seed", "return_prompt", "raw_prompting"},
    "jurassic": {"countPenalty", "presencePenalty", "frequencyPenalty", "numResults", "minTokens"},
    "mistral_prompt": {"top_k"},
}  # fmt: skip
"""The fields that the families accept beyond Converse's parameters; all others accept a chat's members."""


class Extras(Struct, frozen=True):
    """The parameters in the additional fields."""

    reasoning: bool = False
    choice: str = ""
    parallel: bool = True
    schema: dict[str, Any] | None = None


def read_extras(request: ConverseRequest, model: Model) -> Extras:
    """Read and check the additional fields.

    Raises:
        LocalRefusal: the model rejects them.
    """
    fields = request.additional_model_request_fields
    if fields is None:
        return Extras()
    if not isinstance(fields, dict):
        raise LocalRefusal("The additionalModelRequestFields field must be a JSON object.")
    if model.family == "claude_messages":
        return _claude(fields, request, model)
    if model.family == "nova":
        return _nova(fields, request, model)
    return _others(fields, model)


def _claude(fields: dict[str, Any], request: ConverseRequest, model: Model) -> Extras:
    _reject_unknown(fields, _CLAUDE, "{}: Extra inputs are not permitted")
    if "top_k" in fields and model.on("converse").top_k is False:
        raise LocalRefusal("top_k is not supported for this model.")
    config = request.inference_config
    sampling = Sampling(config.temperature, config.top_p, fields.get("top_k"))
    thinks = check_claude_thinking(fields.get("thinking"), model, config.max_tokens, sampling)
    config_choice = request.tool_config.tool_choice if request.tool_config else None
    forced = config_choice is not None and (config_choice.any is not None or config_choice.tool is not None)
    if thinks and forced:
        raise LocalRefusal("Thinking may not be enabled when tool_choice forces tool use.")
    if thinks and fields["thinking"].get("type") == "enabled":
        _check_leading_reasoning(request)
    if thinks and request.messages[-1].role == "assistant":
        raise LocalRefusal(
            "Expected the final message not to be an assistant message: no prefill when thinking is enabled."
        )
    choice = fields.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    output = fields.get("output_config")
    format_ = output.get("format") if isinstance(output, dict) else None
    return Extras(
        reasoning=thinks,
        choice="none" if kind == "none" else "",
        parallel=not (isinstance(choice, dict) and choice.get("disable_parallel_tool_use")),
        schema=format_.get("schema") if isinstance(format_, dict) else None,
    )


def _check_leading_reasoning(request: ConverseRequest) -> None:
    """Reject tool results for an answer that does not start with its reasoning."""
    has_results = request.messages[-1].content[0].tool_result is not None
    answers = [place for place, message in enumerate(request.messages) if message.role == "assistant"]
    if has_results and answers:
        first = request.messages[answers[-1]].content[0]
        if first.reasoning_content is None:
            raise LocalRefusal(format_missing_reasoning(answers[-1], "text" if first.text is not None else "tool_use"))


def _nova(fields: dict[str, Any], request: ConverseRequest, model: Model) -> Extras:
    _reject_unknown(
        fields,
        _NOVA,
        "Malformed input request: #: extraneous key [{}] is not permitted, please reformat your input and try again.",
    )
    config = request.inference_config
    limited = config.max_tokens is not None or config.temperature is not None or config.top_p is not None
    return Extras(reasoning=check_nova_reasoning(fields.get("reasoningConfig"), model, limited=limited))


def _others(fields: dict[str, Any], model: Model) -> Extras:
    """Read the fields of the other families: members of their own body. The reasoning effort has one of three names."""
    _reject_unknown(
        fields, _ACCEPTED.get(model.family, _CHAT), format_schema_error("", "Object contains unknown field `{}`")
    )
    style = model.on("converse").reasoning
    if style in {False, "inherent"} and fields.keys() & _REASONING:
        raise LocalRefusal("This model doesn't support the reasoning field in additionalModelRequestFields. Remove it.")
    nested = fields.get("reasoning")
    nested_effort = nested.get("effort") if isinstance(nested, dict) else None
    effort = fields.get("reasoning_effort", nested_effort) or fields.get("reasoning_config")
    if style == "high_only" and effort not in {None, "high"}:
        raise LocalRefusal("reasoning_effort: high is the only value that this model accepts.")
    if effort is not None and effort not in _EFFORTS:
        raise LocalRefusal(f"reasoning_effort: {effort!r} is not one of {', '.join(_EFFORTS)}.")
    return Extras(reasoning=effort not in {None, "none"})


def _reject_unknown(fields: dict[str, Any], known: set[str], sentence: str) -> None:
    for name in fields:
        if name not in known:
            raise LocalRefusal(sentence.format(name))
