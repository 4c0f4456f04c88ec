"""A finished stream as one message: what the SDKs make of the events, told at once."""

from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json

from service.answer import Answer
from service.deltas import Done, Event
from service.dialects.anthropic_messages.citations import citation
from service.dialects.anthropic_messages.message import opening, stop_reason, usage
from service.dialects.dialect import Heading

Json = dict[str, Any]


def whole(heading: Heading, options: None, events: Iterable[Event]) -> Json:  # noqa: ARG001 - as in every dialect
    """Tell the message. A failed one has been refused by then; see `error`."""
    events = list(events)
    answer = Answer(events)
    content = [told for block in answer.content if (told := _block(block)) is not None]
    message = opening(heading.after(events)) | {"content": content}
    if isinstance(answer.end, Done):
        spent = usage(answer.end.usage)
        message["stop_reason"] = stop_reason(answer.end.stop_reason, answer.end.raw_stop_reason)
        message["stop_sequence"] = answer.end.stop_sequence
        message["usage"] |= spent if spent["input_tokens"] is not None else spent | {"input_tokens": 0}
    return message


def _block(block: Json) -> Json | None:
    """Translate one block of the native shape."""
    match block:
        case {"server": True}:
            return None
        case {"type": "text", "text": text}:
            cited = [told for one in block.get("citations", ()) if (told := citation(one)) is not None]
            return {"type": "text", "text": text} | ({"citations": cited} if cited else {})
        case {"type": "reasoning", "redacted": encrypted}:
            return {"type": "redacted_thinking", "data": encrypted}
        case {"type": "reasoning", "text": text}:
            return {"type": "thinking", "thinking": text, "signature": block.get("signature", "")}
    return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": _input(block)}


def _input(block: Json) -> Json:
    """Read as much of a call's arguments as came: the SDKs do so with a call that was cut short."""
    text = block.get("input_text")
    if text is None:
        return dict(block["input"])
    try:
        said = from_json(text, allow_partial=True)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
