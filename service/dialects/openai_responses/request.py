"""A Responses request, in our terms.

What it refers to (an earlier response, an earlier item) is stored; `references` says what to look up, and `parse` takes
what was found.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from service.dialects import body, bounds
from service.dialects.openai_chat.parts import ToolEntry, choose, effort, output_schema, tools
from service.dialects.openai_responses.items import conversation
from service.dialects.openai_responses.response import ResponsesOptions
from service.dialects.refusal import KnownRefusal, wrong
from service.errors import InvalidRequest
from service.generation import Reasoning, Request

Json = dict[str, Any]


class Body(Struct):
    """What is read of the body; the rest is passed over, and named."""

    input: str | list[Json] = ""
    model: body.ModelName | None = None
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Json | None = None
    text: Json | None = None
    metadata: Json | None = None
    conversation: Any | UnsetType = UNSET
    prompt: Any | UnsetType = UNSET


class References(Struct, frozen=True):
    """What a request refers to."""

    previous_response_id: str | None
    items: tuple[str, ...]


class ResponsesRequest(Struct, frozen=True):
    """A request, and what else was asked for.

    `input` is the whole conversation up to here, as items: what to store beside the output, and to hand to `parse` as
    `earlier` when this response is referred to. `dropped` names what was passed over.
    """

    request: Request
    stream: bool
    options: ResponsesOptions
    background: bool
    store: bool
    previous_response_id: str | None
    input: list[Json]
    dropped: list[str]


def previous_not_found() -> InvalidRequest:
    """Refuse to go on from a response that is not stored; clients begin anew then."""
    return KnownRefusal(
        "previous_response_not_found", "previous_response_id", "No response of this id is stored (any more)."
    )


def references(given: object) -> References:
    """Find what a request refers to.

    Raises:
        InvalidRequest: the request does not have its shape; status 400.
    """
    asked = body.read(given, Body)
    return References(asked.previous_response_id, tuple(_referred(asked.input)))


def _referred(given: str | list[Json]) -> Iterator[str]:
    for item in given if isinstance(given, list) else ():
        if (name := _reference(item)) is not None:
            yield name


def _reference(item: Json) -> str | None:
    """Find the item that is referred to; a reference may leave out its type."""
    match item:
        case {"type": "item_reference", "id": str(name)}:
            return name
        case {"type": None, "id": str(name)} if "role" not in item:
            return name
        case {"id": str(name)} if "type" not in item and "role" not in item:
            return name
    return None


def parse(
    given: object,
    *,
    earlier: Sequence[Json] = (),
    items: Mapping[str, Json] | None = None,
    default_model_id: str = "",
) -> ResponsesRequest:
    """Read a request body, as decoded from JSON.

    `earlier` is the conversation of the response it goes on from, input and output; `items` are those it refers to.

    Raises:
        InvalidRequest: the request is wrong, or wants what cannot be had; status 400.
    """
    bounds.check(given)
    asked = body.read(given, Body)
    dropped = body.passed_over(given, Body) if isinstance(given, dict) else []
    _refuse(asked)
    said = [*earlier, *_resolved(asked.input, items or {})]
    system, messages = conversation(asked.instructions, said, offset=len(earlier))
    entries = [body.read(entry, ToolEntry, at=f"tools.{n}") for n, entry in enumerate(asked.tools or ())]
    choice = choose(asked.tool_choice, tools(entries))
    text = asked.text or {}
    schema, schema_name = output_schema(text.get("format"), dropped, "text.format")
    reasoning = asked.reasoning or {}
    request = Request(
        model_id=asked.model or default_model_id,
        messages=messages,
        system=system,
        max_tokens=asked.max_output_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        tools=choice.tools,
        tool_choice=choice.choice,
        parallel_tool_calls=asked.parallel_tool_calls,
        reasoning=_reasoning(reasoning),
        output_schema=schema,
        output_schema_name=schema_name,
        metadata=body.metadata(asked.metadata, dropped),
    )
    options = _options(asked)
    return ResponsesRequest(
        request,
        bool(asked.stream),
        options,
        options.background,
        options.store,
        asked.previous_response_id,
        said,
        dropped,
    )


def _reasoning(asked: Json) -> Reasoning | None:
    """Read how much to reason; whoever asks for a summary wants to see it."""
    told = asked.get("summary") or asked.get("generate_summary")
    wanted = effort(asked.get("effort"), "reasoning.effort")
    return structs.replace(wanted, display="summarized") if wanted and wanted.enabled and told else wanted


def _refuse(asked: Body) -> None:
    """Refuse what is read only to be refused."""
    if asked.conversation not in (UNSET, None):
        raise wrong("conversation", "Conversations are not kept on this surface; use previous_response_id.")
    if asked.prompt not in (UNSET, None):
        raise wrong("prompt", "Stored prompts are OpenAI's own; send instructions and input.")
    if asked.background and asked.store is False:
        raise wrong("store", "A response in the background must be stored.")
    body.at_least(asked.max_output_tokens, 1, "max_output_tokens")
    body.at_least(asked.temperature, 0, "temperature")
    body.at_least(asked.top_p, 0, "top_p")


def _resolved(given: str | list[Json], items: Mapping[str, Json]) -> Iterator[Json]:
    """Give the input as items, each reference as the item it means."""
    if isinstance(given, str):
        if given.strip():
            yield {"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}
        return
    for number, item in enumerate(given):
        name = _reference(item)
        if name is None:
            yield item
        elif name in items:
            yield items[name]
        else:
            raise wrong(f"input.{number}.id", "No item of this id is stored.")


def _options(asked: Body) -> ResponsesOptions:
    """Keep what the response repeats."""
    parallel = asked.parallel_tool_calls
    return ResponsesOptions(
        instructions=asked.instructions,
        metadata=asked.metadata or {},
        tools=asked.tools or [],
        tool_choice=asked.tool_choice or "auto",
        parallel_tool_calls=True if parallel is None else parallel,
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_output_tokens=asked.max_output_tokens,
        previous_response_id=asked.previous_response_id,
        reasoning=asked.reasoning,
        text=asked.text,
        background=bool(asked.background),
        store=asked.store is not False,
    )
