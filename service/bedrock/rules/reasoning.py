"""How each model is told to reason: members of `additionalModelRequestFields`, or of InvokeModel's body."""

from typing import Any

from service.bedrock.catalog.model import Api, Model
from service.generation import Reasoning, Request

LEAST_BUDGET = 1024  # tokens; Claude refuses less
_LOW, _MEDIUM = 2048, 8192  # tokens up to which a budget counts as that effort
_WITHIN_THREE = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Where a model knows low, medium and high alone."""


def is_on(request: Request) -> bool:
    """Whether the request asks for reasoning."""
    wish = request.reasoning
    return wish is not None and wish.enabled and wish.effort != "none"


def effort_of(wish: Reasoning) -> str | None:
    """The effort that is wished for, also where it was said as a budget; None: the model's own measure."""
    if wish.effort or wish.budget_tokens is None:
        return wish.effort
    return "low" if wish.budget_tokens <= _LOW else "medium" if wish.budget_tokens <= _MEDIUM else "high"


def budget_of(request: Request) -> int:
    """The budget that is wished for, also where it was said as an effort, held below `max_tokens`."""
    wish = request.reasoning or Reasoning()
    room = wish.budget if request.max_tokens is None else min(wish.budget, request.max_tokens - 1)
    return max(LEAST_BUDGET, room)


def fields(request: Request, model: Model, api: Api) -> dict[str, Any]:
    """Build the members that tell this model how much to reason; none where it cannot or need not be told."""
    style = model.on(api).reasoning
    wish = request.reasoning
    if wish is None or not style:
        return {}
    if not is_on(request):
        return {"reasoning_config": "none"} if style == "qwen" else {}
    effort = effort_of(wish)
    three = _WITHIN_THREE.get(effort or "medium", effort or "medium")
    match style:
        case "budget":
            return _budget(request)
        case "budget_or_adaptive":
            return _budget(request) if wish.budget_tokens else _adaptive(effort, wish.display)
        case "adaptive":
            return _adaptive(effort, wish.display)
        case "nova":
            return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": three}}
        case "qwen":
            return {"reasoning_config": three}
        case "high_only":
            return {"reasoning_effort": "high"}
        case "effort" if effort:
            return {"reasoning_effort": three if model.series == "gpt_oss" else effort}
        case "nested_effort" if effort:
            return {"reasoning": {"effort": effort}} if api == "converse" else {"reasoning_effort": effort}
        case _:
            return {}


def unbounded(request: Request, model: Model, api: Api) -> bool:
    """Whether the limits and the sampling must be left out: Nova 2 at its highest effort refuses them."""
    said = fields(request, model, api).get("reasoningConfig", {})
    return bool(said) and said["maxReasoningEffort"] == "high"


def _budget(request: Request) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": budget_of(request)}}


def _adaptive(effort: str | None, display: str | None) -> dict[str, Any]:
    """Let the model decide. `display` is Anthropic's word for whether the thinking is shown; unverified on Bedrock."""
    thinking: dict[str, Any] = {"thinking": {"type": "adaptive"} | ({"display": display} if display else {})}
    return thinking if effort is None else thinking | {"output_config": {"effort": _claude_effort(effort)}}


def _claude_effort(effort: str) -> str:
    return "low" if effort == "minimal" else effort
