"""The answer that a stream's events add up to.

Folding is what a whole (not streamed) reply, a conversation's history and a continuation need; it is done here, once.
"""

from collections.abc import Iterable
from typing import Any

from service.deltas import (
    SHOWN,
    CitationDelta,
    Done,
    Event,
    Failed,
    GuardrailTrace,
    ReasoningDelta,
    Status,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
)
from service.json_depth import read_object

Json = dict[str, Any]


def fallback_of(events: Iterable[Event]) -> str | None:
    """Name the model that took the place of the one that was asked for, as far as these first events tell."""
    model_id = None
    for event in events:
        if isinstance(event, Status):
            if event.state == "fallback":
                model_id = event.model_id
        elif isinstance(event, SHOWN):
            break  # from here on it is the same
    return model_id


class Answer:
    """What has been said so far; `add` folds further events in.

    `end` is the stream's last event once it has come. A `restarted` status clears what was said before it.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.blocks: list[Json] = []
        self.trace: Json | None = None
        self.end: Done | Failed | None = None
        self._index: int | None = None  # the wire's index of the open block
        self._pieces: list[str] = []
        self.add(events)

    def add(self, events: Iterable[Event]) -> None:
        """Fold further events in."""
        for event in events:
            match event:
                case TextDelta():
                    self._open("text", event.index)
                    self._pieces.append(event.text)
                case ReasoningDelta():
                    self._reason(event)
                case ToolCallStart():
                    self._begin({"type": "tool_use", "id": event.id, "name": event.name}, event.index)
                    if event.server:
                        self.blocks[-1]["server"] = True
                case ToolCallDelta():
                    self._pieces.append(event.arguments)
                case ToolResultDelta():
                    self._begin(_tool_result(event), event.index)
                case CitationDelta():
                    self._open("text", event.index).setdefault("citations", []).append(event.citation)
                case GuardrailTrace():
                    self.trace = event.trace
                case Status(state="restarted"):
                    self._index, self._pieces, self.blocks = None, [], []
                case Done() | Failed():
                    self.end = event

    @property
    def content(self) -> list[Json]:
        """The content blocks in the native shape, as they may be handed back in the next turn."""
        self._settle()
        return [block for block in self.blocks if block != {"type": "text", "text": ""}]

    @property
    def text(self) -> str:
        """The text alone, without reasoning and tool calls."""
        self._settle()
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    def _reason(self, event: ReasoningDelta) -> None:
        if event.redacted is not None:
            self._begin({"type": "reasoning", "redacted": event.redacted}, event.index)
            return
        block = self._open("reasoning", event.index)
        if event.signature is not None:
            block["signature"] = block.get("signature", "") + event.signature
        if event.text is not None:
            self._pieces.append(event.text)

    def _open(self, kind: str, index: int) -> Json:
        if self._index != index or not self.blocks or self.blocks[-1]["type"] != kind or "redacted" in self.blocks[-1]:
            self._begin({"type": kind}, index)
        return self.blocks[-1]

    def _begin(self, block: Json, index: int) -> None:
        self._settle()
        self._index = index
        self.blocks.append(block)

    def _settle(self) -> None:
        """Join the pieces of the last block."""
        if not self.blocks:
            return
        block, said, self._pieces = self.blocks[-1], "".join(self._pieces), []
        match block["type"]:
            case "text":
                block["text"] = block.get("text", "") + said
            case "reasoning" if "redacted" not in block:
                block["text"] = block.get("text", "") + said
            case "tool_use":
                _settle_arguments(block, said)


def _settle_arguments(block: Json, said: str) -> None:
    """Parse a call's arguments; what is no JSON object (a call cut short) stays readable as `input_text`."""
    text = block.pop("input_text", "") + said
    if not text:
        block.setdefault("input", {})
        return
    try:
        block["input"] = read_object(text)
    except ValueError:
        block["input"], block["input_text"] = {}, text


def _tool_result(event: ToolResultDelta) -> Json:
    return {
        "type": "tool_result",
        "tool_use_id": event.tool_use_id,
        "content": event.content,
        "is_error": event.is_error,
        "server": True,
    }
