"""Builds the whole answer from a stream's events, as the service would return it without streaming."""

import json
from dataclasses import dataclass, field
from typing import Any

from .events import Citation, Done, Event, Metrics, Reasoning, Start, Status, Text, ToolCall, ToolResult, Usage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `content` has its blocks, which can be sent back in the next turn; `latency` is in seconds.

    `raw` is the response of `POST /api/generate` with `stream` false.
    """

    text: str
    content: list[Json] = field(repr=False)
    stop_reason: str
    raw_stop_reason: str | None
    usage: Usage
    metrics: Metrics
    model_id: str
    latency: float | None
    stream_id: str
    raw: Json = field(repr=False)


class AnswerBuilder:
    """The answer so far. A `restarted` status clears it."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._done: Done | None = None
        self._blocks: list[Json] = []
        self._deltas: list[str] = []  # of the last block

    def add(self, event: Event) -> None:
        """Add an event."""
        match event:
            case Text(text):
                self._open("text")
                self._deltas.append(text)
            case Citation(citation):
                self._open("text").setdefault("citations", []).append(citation)
            case Reasoning():
                self._reason(event)
            case ToolCall(id=str(call), name=str(name)):
                self._begin({"type": "tool_use", "id": call, "name": name} | ({"server": True} if event.server else {}))
            case ToolCall(arguments=str(arguments)):
                self._deltas.append(arguments)
            case ToolResult():
                self._begin(_tool_result(event))
            case Status(state="restarted"):
                self._blocks, self._deltas = [], []
            case Start():
                self._start = event
            case Done():
                self._done = event

    @property
    def text(self) -> str:
        """The text, without reasoning and tool calls."""
        self._join_deltas()
        return "".join(block["text"] for block in self._blocks if block["type"] == "text")

    @property
    def content(self) -> list[Json]:
        """The content blocks."""
        self._join_deltas()
        return [block for block in self._blocks if block != {"type": "text", "text": ""}]

    def answer(self, stream_id: str) -> Answer | None:
        """Return the whole answer, or None before its end."""
        done = self._done
        if done is None:
            return None
        text, content = self.text, self.content
        model_id = done.metrics.model_id or (self._start.model_id if self._start else "")
        ending = {name: value for name, value in done.raw.items() if name != "done"}
        raw = {"text": text, "model_id": model_id, "latency": done.metrics.latency, "stream_id": stream_id}
        return Answer(
            text=text,
            content=content,
            stop_reason=done.stop_reason,
            raw_stop_reason=done.raw_stop_reason,
            usage=done.usage,
            metrics=done.metrics,
            model_id=model_id,
            latency=done.metrics.latency,
            stream_id=stream_id,
            raw={**raw, **ending, "content": content},
        )

    def _reason(self, event: Reasoning) -> None:
        if event.redacted is not None:
            self._begin({"type": "reasoning", "redacted": event.redacted})
            return
        block = self._open("reasoning")
        if event.text is not None and "signature" in block:  # a signature ends a reasoning block
            self._begin({"type": "reasoning"})
            block = self._blocks[-1]
        if event.signature is not None:
            block["signature"] = block.get("signature", "") + event.signature
        if event.text is not None:
            self._deltas.append(event.text)

    def _open(self, kind: str) -> Json:
        if not self._blocks or self._blocks[-1]["type"] != kind or "redacted" in self._blocks[-1]:
            self._begin({"type": kind})
        return self._blocks[-1]

    def _begin(self, block: Json) -> None:
        self._join_deltas()
        self._blocks.append(block)

    def _join_deltas(self) -> None:
        """Join the deltas of the last block."""
        if not self._blocks:
            return
        block, text, self._deltas = self._blocks[-1], "".join(self._deltas), []
        match block["type"]:
            case "text":
                block["text"] = block.get("text", "") + text
            case "reasoning" if "redacted" not in block:
                block["text"] = block.get("text", "") + text
            case "tool_use":
                _parse_arguments(block, text)


def _parse_arguments(block: Json, text: str) -> None:
    """Parse a tool call's arguments; truncated or invalid JSON is kept as text in `input_text`."""
    text = block.pop("input_text", "") + text
    if not text:
        block.setdefault("input", {})
        return
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = None
    if isinstance(arguments, dict):
        block["input"] = arguments
    else:
        block["input"], block["input_text"] = {}, text


def _tool_result(event: ToolResult) -> Json:
    return {
        "type": "tool_result",
        "tool_use_id": event.tool_use_id,
        "content": event.content,
        "is_error": event.is_error,
        "server": True,
    }
