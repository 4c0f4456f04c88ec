"""Converse's whole answer to deltas: the same ones that a stream of it would have brought."""

import json
from collections.abc import Mapping
from typing import Any

from service.bedrock.decoder import Blocks
from service.bedrock.json_fields import Json, corrupt, object_of, objects_of, raise_if_error, text_of
from service.bedrock.wires.converse.members import reasoning_of, says, stop_of, timing_of, trace_of, usage_of
from service.deltas import CitationDelta, Delta, TextDelta, ToolCallDelta, ToolCallStart, ToolResultDelta, Unknown


def whole_answer(answer: Any) -> list[Delta]:
    """Translate Converse's whole answer.

    Raises:
        UpstreamError: it has no message or no stop reason.
    """
    said = object_of(answer, "answer")
    raise_if_error(said)
    message = object_of(object_of(said.get("output"), "output").get("message"), "message")
    deltas = blocks_of(objects_of(message.get("content"), "content"))
    deltas.append(stop_of(said))
    if said.get("usage") is not None:
        deltas.append(usage_of(said["usage"]))
    return [*deltas, *timing_of(said), *trace_of(said)]


def blocks_of(content: list[Json]) -> list[Delta]:
    """Translate a whole message's blocks."""
    blocks = Blocks()
    deltas: list[Delta] = []
    for number, block in enumerate(content):
        for kind, value in block.items():
            if value is not None:
                deltas += _whole_block(blocks, number, kind, value)
    return deltas


def _whole_block(blocks: Blocks, number: int, kind: str, value: Any) -> list[Delta]:
    if kind == "text":
        text = text_of(value, "text")
        return [TextDelta(blocks.at(number), text)] if text else []
    if kind == "reasoningContent":
        said = object_of(value, "reasoningContent")
        said = object_of(said.get("reasoningText", said), "reasoningText")
        return reasoning_of(blocks.at(number), said) if says(said) else []
    if kind == "toolUse":
        return _whole_call(blocks.at(number), object_of(value, "toolUse"))
    if kind == "toolResult":
        return [_whole_result(blocks.at(number), object_of(value, "toolResult"))]
    if kind == "citationsContent":
        return _whole_citations(blocks, number, object_of(value, "citationsContent"))
    return [Unknown(kind)]


def _whole_call(index: int, call: Mapping[str, Any]) -> list[Delta]:
    call_id, name = call.get("toolUseId"), call.get("name")
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise corrupt("toolUse")
    arguments = compact(call.get("input", {}))
    return [ToolCallStart(index, call_id, name, call.get("type") == "server_tool_use"), ToolCallDelta(index, arguments)]


def _whole_result(index: int, result: Mapping[str, Any]) -> Delta:
    call_id = result.get("toolUseId")
    if not isinstance(call_id, str):
        raise corrupt("toolResult")
    content = objects_of(result.get("content"), "toolResult.content")
    return ToolResultDelta(index, call_id, content, result.get("status") == "error")


def _whole_citations(blocks: Blocks, number: int, said: Mapping[str, Any]) -> list[Delta]:
    """As in a stream: the citations, then the text they belong to."""
    citations = objects_of(said.get("citations"), "citations")
    deltas: list[Delta] = [CitationDelta(blocks.at(number), citation) for citation in citations]
    text = "".join(
        text_of(piece.get("text"), "citationsContent") for piece in objects_of(said.get("content"), "content")
    )
    return [*deltas, TextDelta(blocks.at(number), text)] if text else deltas


def compact(arguments: Any) -> str:
    """Write a whole answer's arguments as the JSON text that a stream would have brought."""
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
