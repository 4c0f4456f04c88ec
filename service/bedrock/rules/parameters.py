"""What a model is known not to take of a request, said before Bedrock would; and the request without it."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import structs

from service.bedrock.catalog.model import Target
from service.bedrock.rules import attachments, own_members, reasoning
from service.bedrock.words import offered, placed
from service.errors import FieldError, InvalidRequest
from service.generation import (
    Block,
    CachePoint,
    Document,
    Image,
    Message,
    ReasoningBlock,
    Request,
    Text,
    ToolResult,
    ToolUse,
)

_UNSET: dict[str, Any] = {
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "stop_sequences": (),
    "system": (),
    "tools": (),
    "tool_choice": None,
    "parallel_tool_calls": None,
    "reasoning": None,
    "output_schema": None,
    "max_tokens": None,
}
"""What can be taken out of a request, and what is left of it then."""

_LEAST_TOP_P = 0.95  # with thinking on, Claude takes no less


def refusals(request: Request, target: Target) -> list[FieldError]:
    """List the fields that this model is known not to take, and what would be right instead."""
    return [
        *_sampling(request, target),
        *_limits(request, target),
        *_tools(request, target),
        *_reasoning(request, target),
        *_turns(request, target),
        *_blocks(request, target),
        *attachments.refusals(request),
        *own_members.refusals(request.extra, target),
    ]


def check(request: Request, target: Target) -> None:
    """Refuse a request that the model is known not to take.

    Raises:
        InvalidRequest: it names the fields.
    """
    if found := refusals(request, target):
        raise InvalidRequest("; ".join(f"{error.field}: {error.message}" for error in found), found)


def clamped(request: Request, target: Target) -> Request:
    """Lower what is above the model's measure: the temperature, and the tokens of its answer."""
    changes: dict[str, Any] = {}
    if request.temperature is not None and request.temperature > target.abilities.max_temperature:
        changes["temperature"] = target.abilities.max_temperature
    ceiling = target.model.output_ceiling
    if request.max_tokens is not None and ceiling and request.max_tokens > ceiling:
        changes["max_tokens"] = target.model.max_output_tokens
    return structs.replace(request, **changes) if changes else request


def without(request: Request, fields: Iterable[str]) -> Request:
    """Take fields out, by the names that `refusals` gives them; what cannot be taken out stays."""
    names = set(fields)
    roots = {name.split(".")[0] for name in names}
    changes = {root: _UNSET[root] for root in roots & _UNSET.keys()}
    if any(name.startswith("messages.") for name in names):
        changes["messages"] = tuple(_without_points(message, number, names) for number, message in
                                    enumerate(request.messages))  # fmt: skip
    for root in ("system", "tools"):
        if root not in names and root in changes:  # a cache point in it, not the whole
            changes[root] = tuple(one for one in getattr(request, root) if not isinstance(one, CachePoint))
    return structs.replace(request, **changes)


def lenient(request: Request, target: Target) -> tuple[Request, list[str]]:
    """Lower and take out what the model would refuse; the second value names what was taken out.

    A system prompt that it does not take is said at the beginning of the first turn.

    Raises:
        InvalidRequest: what is left, the model would refuse still.
    """
    lowered = clamped(request, target)
    found = [error.field for error in refusals(lowered, target)]
    kept = without(lowered, found)
    if "system" in found:
        kept = _told_by_the_user(kept, lowered.system_text)
    check(kept, target)
    return kept, found


def _told_by_the_user(request: Request, system: str) -> Request:
    first, *others = request.messages
    if first.role == "user":
        first = structs.replace(first, content=(Text(system), *first.content))
        return structs.replace(request, messages=(first, *others))
    return structs.replace(request, messages=(Message("user", (Text(system),)), first, *others))


def _without_points(message: Message, number: int, names: set[str]) -> Message:
    content = tuple(
        block
        for place, block in enumerate(message.content)
        if not (isinstance(block, CachePoint) and f"messages.{number}.content.{place}" in names)
    )
    return structs.replace(message, content=content) if content else message


def _sampling(request: Request, target: Target) -> Iterator[FieldError]:
    abilities = target.abilities
    for field in ("temperature", "top_p", "top_k"):
        if getattr(request, field) is not None and getattr(abilities, field) is False:
            yield FieldError(field, "this model does not take it: leave it out")
    if request.stop_sequences and abilities.stop_sequences is False:
        yield FieldError("stop_sequences", "this model does not take them: leave them out")
    highest = abilities.max_temperature
    if request.temperature is not None and abilities.temperature is not False and request.temperature > highest:
        yield FieldError("temperature", f"this model takes at most {highest:g}")


def _limits(request: Request, target: Target) -> Iterator[FieldError]:
    ceiling = target.model.output_ceiling
    if ceiling and request.max_tokens is not None and request.max_tokens > ceiling:
        yield FieldError("max_tokens", f"this model gives at most {target.model.max_output_tokens}")
    if request.output_schema is not None and target.abilities.output_schema is False:
        yield FieldError("output_schema", "this model cannot be held to a schema: say in the prompt what you want")


def _tools(request: Request, target: Target) -> Iterator[FieldError]:
    abilities = target.abilities
    if not offered(request):
        return
    if abilities.tools is False:
        other = target.api == "invoke" and target.model.on("converse").tools
        yield FieldError("tools", "this model takes none here: ask by `converse`" if other else "this model takes none")
    choice = request.tool_choice.mode if request.tool_choice else "auto"
    modes = abilities.tool_choice
    if choice != "none" and modes is not None and choice not in modes:
        yield FieldError("tool_choice", f"this model takes {', '.join(sorted(modes | {'none'}))}")
    elif choice in {"any", "tool"} and _thinks(request, target):
        yield FieldError("tool_choice", "while it thinks, this model takes auto or none")
    if request.parallel_tool_calls is False and target.family not in {"claude_messages", "tolerant"} and (
        target.api == "converse" or target.family != "openai_chat"
    ):  # fmt: skip
        yield FieldError("parallel_tool_calls", "this model cannot be held to one call at a time")


def _thinks(request: Request, target: Target) -> bool:
    return target.family == "claude_messages" and bool(target.abilities.reasoning) and reasoning.is_on(request)


def _reasoning(request: Request, target: Target) -> Iterator[FieldError]:
    style = target.abilities.reasoning
    if reasoning.is_on(request):
        if style is False:
            yield FieldError("reasoning", "this model does not reason")
        elif style is None:
            yield FieldError("reasoning", "how this model is told to reason is not known: put its own field in `extra`")
    elif request.reasoning is not None and target.model.always_reasons:
        yield FieldError("reasoning", "this model always reasons")
    if _thinks(request, target):
        yield from _thinking(request, style)


def _thinking(request: Request, style: Any) -> Iterator[FieldError]:
    """What Claude refuses while it thinks."""
    if request.temperature not in {None, 1} and style != "adaptive":
        yield FieldError("temperature", "while it thinks, this model takes 1 alone: leave it out")
    if request.top_k is not None and style != "adaptive":
        yield FieldError("top_k", "while it thinks, this model does not take it")
    if request.top_p is not None and request.top_p < _LEAST_TOP_P and style != "adaptive":
        yield FieldError("top_p", f"while it thinks, this model takes at least {_LEAST_TOP_P}")
    budget = request.reasoning.budget_tokens if request.reasoning else None
    if style == "budget" or (style == "budget_or_adaptive" and budget):
        yield from _budget(budget, request.max_tokens)
        if _thought_is_missing(request):
            yield FieldError("reasoning", "the answer whose calls are now answered must be given with its reasoning")


def _thought_is_missing(request: Request) -> bool:
    """Whether an answer whose tools are just being answered has lost the reasoning it must begin with."""
    if len(request.messages) < 2:  # noqa: PLR2004 - an answer, and its tools' results
        return False
    answer, last = request.messages[-2:]
    called = any(isinstance(block, ToolUse) for block in answer.content)
    answered = any(isinstance(block, ToolResult) for block in last.content)
    first = next((block for block in answer.content if not _is_unsigned(block)), None)
    return called and answered and not isinstance(first, ReasoningBlock)


def _is_unsigned(block: Block) -> bool:
    """Whether a block is reasoning that nobody vouches for, and that is therefore not handed back."""
    return isinstance(block, ReasoningBlock) and block.signature is None and block.redacted is None


def _budget(budget: int | None, max_tokens: int | None) -> Iterator[FieldError]:
    if budget is not None and budget < reasoning.LEAST_BUDGET:
        yield FieldError("reasoning.budget_tokens", f"this model takes at least {reasoning.LEAST_BUDGET}")
    elif budget is not None and max_tokens is not None and budget >= max_tokens:
        yield FieldError("reasoning.budget_tokens", f"it has to be below max_tokens ({max_tokens})")
    elif max_tokens is not None and max_tokens <= reasoning.LEAST_BUDGET:
        yield FieldError("reasoning", f"it takes {reasoning.LEAST_BUDGET} tokens at least: ask for more max_tokens")


def _turns(request: Request, target: Target) -> Iterator[FieldError]:
    abilities = target.abilities
    roles = [message.role for message in request.messages]
    if request.system_text.strip() and abilities.system is False:
        yield FieldError("system", "this model takes no system prompt")
    if abilities.turns is False and "assistant" in roles:
        yield FieldError("messages", "this model takes a single turn here: ask by `invoke`")
    elif roles and roles[0] == "assistant" and abilities.leading_assistant is False:
        yield FieldError("messages.0.role", "with this model a conversation begins with the user")
    if roles and roles[-1] == "assistant" and abilities.prefill is False:
        yield FieldError(f"messages.{len(roles) - 1}.role", "with this model the last message is the user's")


def _blocks(request: Request, target: Target) -> Iterator[FieldError]:
    abilities = target.abilities
    for field, block in placed(request):
        if isinstance(block, Image) and abilities.images is False:
            yield FieldError(field, "this model takes no images")
        elif isinstance(block, Document) and abilities.documents is False:
            yield FieldError(field, "this model takes no documents here")
        elif isinstance(block, ToolUse | ToolResult) and abilities.tools is False:
            yield FieldError(field, "this model takes no tools here")
        elif isinstance(block, ToolResult):
            yield from _result(field, block, target)
    yield from _cache_points(request, target)


def _result(field: str, result: ToolResult, target: Target) -> Iterator[FieldError]:
    abilities = target.abilities
    for place, block in enumerate(result.content):
        if isinstance(block, Image) and False in {abilities.images, abilities.tool_result_images}:
            yield FieldError(f"{field}.content.{place}", "this model takes no images as a tool's result")
        elif isinstance(block, Document) and False in {abilities.documents, abilities.tool_result_documents}:
            yield FieldError(f"{field}.content.{place}", "this model takes no documents as a tool's result")


def _cache_points(request: Request, target: Target) -> Iterator[FieldError]:
    if target.abilities.cache_points is not False:
        return
    places = [("system", request.system), ("tools", request.tools)]
    named = [(f"{root}.{place}", one) for root, many in places for place, one in enumerate(many)]
    for field, one in [*named, *placed(request)]:
        if isinstance(one, CachePoint):
            yield FieldError(field, "this model takes no cache points")
