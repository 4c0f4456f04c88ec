"""Converse's events to deltas. Nova speaks the same events on InvokeModel.

Beyond the documentation (recordings of 2024-12 to 2026-09): every payload has a filler `p`; text and reasoning open
without a contentBlockStart; blocks may be empty (gpt-oss begins with one) and indexes may skip; a citation comes before
its text; metadata follows messageStop and names the cache's tokens by an old and a new name.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import Blocks
from service.bedrock.json_fields import Json, corrupt, object_of, objects_of, raise_if_error, text_of, truncated
from service.bedrock.wires.converse.answer import whole_answer
from service.bedrock.wires.converse.members import reasoning_of, says, stop_of, timing_of, trace_of, usage_of
from service.deltas import (
    CitationDelta,
    Delta,
    Opened,
    Stop,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Unknown,
    Usage,
)
from service.generation import Request

_KINDS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


class EventReader(ABC):
    """Reads events, one at a time. Where a block stands and how an answer ends, the two APIs say in different ways."""

    def __init__(self) -> None:
        self.blocks = Blocks()
        self._calls: dict[int, int] = {}
        self._results: dict[int, tuple[str, bool]] = {}
        self._silent_results: set[int] = set()

    def read(self, kind: str, said: Any) -> list[Delta]:
        """Translate one event."""
        if kind not in _KINDS:
            return [Unknown(kind)]
        if not isinstance(said, dict):
            raise corrupt(kind)
        match kind:  # no table of methods, which would be a circle for the collector in each answer
            case "messageStart":
                return self._message_start(said)
            case "contentBlockStart":
                return self._block_start(said)
            case "contentBlockDelta":
                return self._block_delta(said)
            case "contentBlockStop":
                return self._block_stop(said)
            case "messageStop":
                return self._message_stop(said)
        return self._metadata(said)

    def index(self, wire_index: int, kind: str) -> int:  # noqa: ARG002 - Nova on InvokeModel goes by the kind
        """Where a block of this kind stands in the answer."""
        return self.blocks.at(wire_index)

    @abstractmethod
    def stopped(self, stop: Stop) -> list[Delta]:
        """End the message."""

    def counted(self, usage: Usage) -> list[Delta]:
        """Tell the usage."""
        return [usage]

    def _message_start(self, _: Json) -> list[Delta]:
        return [Opened()]

    def _block_start(self, said: Json) -> list[Delta]:
        wire_index = _index(said)
        deltas: list[Delta] = []
        for kind, start in object_of(said.get("start", {}), "contentBlockStart").items():
            if start is None:
                continue
            if kind == "toolUse":
                deltas.append(self._call(wire_index, start))
            elif kind == "toolResult":
                self._result(wire_index, start)
            else:
                deltas.append(Unknown(f"contentBlockStart.{kind}"))
        return deltas

    def _call(self, wire_index: int, start: Any) -> Delta:
        call_id, name = (start.get("toolUseId"), start.get("name")) if isinstance(start, dict) else (None, None)
        if not isinstance(call_id, str) or not isinstance(name, str):
            raise corrupt("contentBlockStart.toolUse")
        index = self._calls[wire_index] = self.index(wire_index, "tool")
        # `tool_use` was recorded on ordinary tools (Claude 4.5, Sonnet 5, Nova 2); only this word means Bedrock ran it.
        return ToolCallStart(index, call_id, name, start.get("type") == "server_tool_use")

    def _result(self, wire_index: int, start: Any) -> None:
        call_id = object_of(start, "contentBlockStart.toolResult").get("toolUseId")
        if not isinstance(call_id, str):
            raise corrupt("contentBlockStart.toolResult")
        self._results[wire_index] = call_id, start.get("status") == "error"
        self._silent_results.add(wire_index)

    def _block_delta(self, said: Json) -> list[Delta]:
        wire_index = said.get("contentBlockIndex")
        delta = said.get("delta")
        if not isinstance(wire_index, int) or not isinstance(delta, dict):
            raise corrupt("contentBlockDelta")
        text = delta.get("text")
        if text.__class__ is str:  # nine in ten
            return [TextDelta(self.index(wire_index, "text"), text)] if text else []
        deltas: list[Delta] = []
        for kind, value in delta.items():
            if value is not None:
                deltas += self._piece(wire_index, kind, value)
        return deltas

    def _piece(self, wire_index: int, kind: str, value: Any) -> list[Delta]:
        if kind == "toolUse":
            return self._arguments(wire_index, value)
        if kind == "reasoningContent":
            # An empty piece must not open a block: the index is asked for where something is shown.
            return reasoning_of(self.index(wire_index, "reasoning"), value) if says(value) else []
        if kind == "citation":
            return [CitationDelta(self.index(wire_index, "text"), object_of(value, "citation"))]
        if kind == "toolResult":
            return self._result_piece(wire_index, objects_of(value, "toolResult"))
        if kind == "text":
            raise corrupt("contentBlockDelta.text")
        return [Unknown(f"contentBlockDelta.{kind}")]

    def _arguments(self, wire_index: int, said: Any) -> list[Delta]:
        piece = text_of(object_of(said, "toolUse").get("input"), "toolUse.input")
        index = self._calls.get(wire_index)
        if index is None:
            raise corrupt("contentBlockDelta.toolUse without its start")
        return [ToolCallDelta(index, piece)] if piece else []

    def _result_piece(self, wire_index: int, content: list[Json]) -> list[Delta]:
        if wire_index not in self._results:
            raise corrupt("contentBlockDelta.toolResult without its start")
        self._silent_results.discard(wire_index)
        call_id, is_error = self._results[wire_index]
        return [ToolResultDelta(self.index(wire_index, "result"), call_id, content, is_error)]

    def _block_stop(self, said: Json) -> list[Delta]:
        wire_index = _index(said)
        if wire_index in self._silent_results:
            return self._result_piece(wire_index, [])
        return []

    def _message_stop(self, said: Json) -> list[Delta]:
        return self.stopped(stop_of(said))

    def _metadata(self, said: Json) -> list[Delta]:
        usage = said.get("usage")
        counted = [] if usage is None else self.counted(usage_of(usage))
        return [*counted, *timing_of(said), *trace_of(said)]


def _index(said: Json) -> int:
    index = said.get("contentBlockIndex")
    if not isinstance(index, int):
        raise corrupt("contentBlockIndex")
    return index


class _ConverseDelta(Struct, forbid_unknown_fields=True, gc=False):
    text: str


class _ConverseText(Struct, gc=False):
    contentBlockIndex: int  # noqa: N815 -- Bedrock's name
    delta: _ConverseDelta


_parse_text = msgspec.json.Decoder(_ConverseText).decode


class ConverseDecoder(EventReader):
    """Decodes one streamed answer; a chunk is `{event type: payload}`."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:  # noqa: ARG002 - as all decoders
        super().__init__()
        self._stopped = False

    def text(self, chunk: bytes) -> TextDelta | None:
        """Recognise a piece of text by the payload of a `contentBlockDelta`."""
        try:
            said = _parse_text(chunk)
        except ValueError:
            return None
        return TextDelta(self.blocks.at(said.contentBlockIndex), said.delta.text) if said.delta.text else None

    def decode(self, chunk: Any) -> list[Delta]:
        """Translate one event."""
        if not isinstance(chunk, dict):
            raise corrupt("event")
        deltas: list[Delta] = []
        for kind, said in chunk.items():
            if kind not in _KINDS:
                raise_if_error({kind: said})
            deltas += self.read(kind, said)
        return deltas

    def stopped(self, stop: Stop) -> list[Delta]:
        """End the message: from here on the answer is whole, though its usage is still to come."""
        self._stopped = True
        return [stop]

    def finish(self) -> list[Delta]:
        """Close the answer. A messageStop without metadata is a success whose usage nobody told."""
        if not self._stopped:
            raise truncated()
        return []

    def whole(self, answer: Any, headers: Mapping[str, str]) -> list[Delta]:  # noqa: ARG002 - its usage is in its body
        """Translate a whole answer."""
        return whole_answer(answer)
