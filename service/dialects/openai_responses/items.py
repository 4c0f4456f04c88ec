"""The items of a Responses conversation, in our terms: those a caller sends, and those we sent before."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from service.dialects import body
from service.dialects.openai_chat.parts import Content, Part, blocks, texts, tool_use
from service.dialects.openai_responses.output import REDACTED, SIGNATURE
from service.dialects.refusal import wrong
from service.generation import CachePoint, Document, Image, Message, ReasoningBlock, Text, ToolResult

Json = dict[str, Any]


class Item(Struct):
    """One item, of whatever type; a message may leave its type out."""

    type: str | None = None
    role: str | None = None
    content: Content = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Content = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None


def conversation(
    instructions: str | None, given: Sequence[Json], *, offset: int
) -> tuple[tuple[Text | CachePoint, ...], tuple[Message, ...]]:
    """Part what the system says, wherever it says it, from the turns of the others.

    The first `offset` items are stored ones; a mistake is told by its number in the caller's own input.

    Raises:
        InvalidRequest: an item that Bedrock has no place for.
    """
    system: list[Text | CachePoint] = list(body.spoken(instructions or ""))
    turns = body.TurnCollector()
    for number, raw in enumerate(given, -offset):
        field = f"input.{number}" if number >= 0 else "previous_response_id"
        _take(body.read(raw, Item, at=field), field, system, turns)
    messages = turns.messages(system)
    return tuple(system), messages


def _take(item: Item, field: str, system: list[Text | CachePoint], turns: body.TurnCollector) -> None:
    match item.type or "message", item.role:
        case "message", "system" | "developer":
            system.extend(texts(item.content, f"{field}.content"))
        case "message", "user" | "assistant":
            turns.add(item.role or "", blocks(item.content, f"{field}.content"))
        case "message", _:
            raise wrong(f"{field}.role", "This must be system, developer, user or assistant.")
        case "function_call", _:
            call_id, name = _required(item.call_id, f"{field}.call_id"), _required(item.name, f"{field}.name")
            turns.add("assistant", [tool_use(call_id, name, item.arguments or "")])
        case "function_call_output", _:
            turns.add("user", [_result(item, field)])
        case "reasoning", _:
            turns.add("assistant", _reasoning(item))
        case _:
            raise wrong(f"{field}.type", "Bedrock has no place for an item of this type.")


def _result(item: Item, field: str) -> ToolResult:
    said = [block for block in blocks(item.output, f"{field}.output") if isinstance(block, Text | Image | Document)]
    return ToolResult(_required(item.call_id, f"{field}.call_id"), tuple(said))


def _reasoning(item: Item) -> Iterator[ReasoningBlock]:
    """Read reasoning of ours. What another service has encrypted says nothing to Bedrock."""
    parts = item.content if isinstance(item.content, list) and item.content else item.summary or []
    text = "".join(part.text or "" for part in parts)
    vouched = item.encrypted_content or ""
    if vouched.startswith(REDACTED):
        yield ReasoningBlock(redacted=vouched.removeprefix(REDACTED))
    elif vouched.startswith(SIGNATURE):
        yield ReasoningBlock(text=text, signature=vouched.removeprefix(SIGNATURE))
    elif text.strip() and not vouched:
        yield ReasoningBlock(text=text)


def _required(value: str | None, field: str) -> str:
    if value is None:
        raise wrong(field, "This field is required.")
    return value
