"""Our messages in Converse's shape, by the rules that Bedrock checks beyond the shapes.

Neighbours of one role become one message, blank text goes, a document gets a text beside it and a plain name of its
own, and where the family wants a tool's results alone in their message they get one.
"""

from typing import Any

from service.bedrock.catalog.model import Abilities, Model
from service.bedrock.words import document_format, document_name, image_format, no_words
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

Json = dict[str, Any]

FILLER = "Noted."
"""Stands between a tool's results and what the user says next, where they may not share a message: without an assistant
between them Bedrock would merge the two again."""


def messages(request: Request, model: Model, prefill: str = "") -> list[Json]:
    """Build the messages; `prefill` becomes, or goes on, the assistant's last one."""
    abilities = model.on("converse")
    writer = _Writer(model, abilities)
    turns: list[Json] = []
    for number, message in enumerate(request.messages):
        content = writer.content(message, f"messages.{number}.content")
        if not content:
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += content
        else:
            turns.append({"role": message.role, "content": content})
    turns = [part for turn in turns for part in _arranged(turn, abilities)]
    return _continued(turns, prefill)


def cache_point(point: CachePoint) -> Json:
    """A cache point; without `ttl` Bedrock's own holds."""
    return {"cachePoint": {"type": "default"} | ({"ttl": point.ttl} if point.ttl else {})}


class _Writer:
    """Writes blocks; it remembers the documents' names, which must differ."""

    def __init__(self, model: Model, abilities: Abilities) -> None:
        self._model = model
        self._abilities = abilities
        self._names: dict[str, int] = {}

    def content(self, message: Message, field: str) -> list[Json]:
        written = [self._block(block, f"{field}.{place}") for place, block in enumerate(message.content)]
        content = [block for block in written if block is not None]
        if not content and not all(isinstance(block, ReasoningBlock) for block in message.content):
            raise no_words(field, "a message needs text that is not blank, or another block")
        if any("document" in block for block in content) and not any("text" in block for block in content):
            content.append({"text": self._mention(content)})
        return content

    def _mention(self, content: list[Json]) -> str:
        return "Documents: " + ", ".join(block["document"]["name"] for block in content if "document" in block)

    def _block(self, block: Block, field: str) -> Json | None:
        match block:
            case Text(text):
                return {"text": text} if text.strip() else None
            case Image():
                return {"image": {"format": image_format(block, field), "source": {"bytes": block.data}}}
            case Document():
                return {"document": self._document(block, field)}
            case ToolUse(call_id, name, arguments):
                return {"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}
            case ToolResult():
                return {"toolResult": self._result(block, field)}
            case ReasoningBlock():
                return self._reasoning(block)
            case _:
                return cache_point(block)

    def _document(self, block: Document, field: str) -> Json:
        """Write a document; only Claude knows of its context, and cites."""
        name = document_name(block.name, self._names)
        said: Json = {"format": document_format(block, field), "name": name, "source": {"bytes": block.data}}
        if self._model.family != "claude_messages":
            return said
        said |= {"context": block.context} if block.context else {}
        return said | ({"citations": {"enabled": True}} if block.citations else {})

    def _result(self, result: ToolResult, field: str) -> Json:
        written = [self._block(block, f"{field}.content.{place}") for place, block in enumerate(result.content)]
        content = [block for block in written if block is not None] or [{"text": "(empty)"}]
        said: Json = {"toolUseId": result.tool_use_id, "content": content}
        if result.is_error and self._abilities.tool_result_status is not False:
            said["status"] = "error"
        return said

    def _reasoning(self, block: ReasoningBlock) -> Json | None:
        """Hand reasoning back where the model takes it: Claude signed or redacted, DeepSeek R1 not at all."""
        if self._abilities.reasoning in {False, "inherent"}:
            return None
        if block.redacted is not None:
            return {"reasoningContent": {"redactedContent": block.redacted}}
        if self._model.family == "claude_messages" and block.signature is None:
            return None
        said: Json = {"text": block.text or ""}
        if block.signature is not None:
            said["signature"] = block.signature
        return {"reasoningContent": {"reasoningText": said}}


def _arranged(turn: Json, abilities: Abilities) -> list[Json]:
    """Put a tool's results first in their message, or alone in it."""
    results = [block for block in turn["content"] if "toolResult" in block]
    others = [block for block in turn["content"] if "toolResult" not in block]
    if not results:
        return [turn]
    if not others or not abilities.tool_result_alone:
        return [{**turn, "content": [*results, *others]}]
    filler = {"role": "assistant", "content": [{"text": FILLER}]}
    return [{**turn, "content": results}, filler, {**turn, "content": others}]


def _continued(turns: list[Json], prefill: str) -> list[Json]:
    """End with the answer so far. Claude refuses one that ends in white space, whoever wrote it."""
    if prefill and turns and turns[-1]["role"] == "assistant":
        turns[-1]["content"].append({"text": prefill})
    elif prefill:
        turns.append({"role": "assistant", "content": [{"text": prefill}]})
    if turns and turns[-1]["role"] == "assistant" and "text" in (last := turns[-1]["content"][-1]):
        last["text"] = last["text"].rstrip()
    return turns
