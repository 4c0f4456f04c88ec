"""Cohere Command R and R+ on InvokeModel. The stream is known from third-party code, the whole answer is recorded.

A call has no id of its own: the generation's id and the call's place make one.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, corrupt, count, object_of, objects_of, text_of
from service.bedrock.wires.converse.answer import compact
from service.bedrock.wires.families.citations import from_cohere
from service.bedrock.wires.families.command import STOP_REASONS
from service.deltas import (
    CitationDelta,
    Delta,
    Opened,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unknown,
    Usage,
)
from service.generation import Request

_SILENT = frozenset({"search-queries-generation", "search-results", "tool-calls-chunk"})
"""Said again, whole, by what follows; or of no use to a reader."""


class CommandRDecoder(ChunkDecoder):
    """Reads events by their `event_type`, and the whole answer."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        super().__init__(request, model, prefill)
        self._generation: str | None = None
        self._calls = 0
        self._readers = {
            "stream-start": self._start,
            "text-generation": self._text,
            "citation-generation": self._citations,
            "tool-calls-generation": self._tool_calls,
            "stream-end": self._end,
        }

    def read(self, chunk: Json) -> list[Delta]:
        """Translate one event, or the whole answer."""
        if "event_type" not in chunk:
            return self._answer(chunk)
        kind = text_of(chunk["event_type"], "event_type")
        reader = self._readers.get(kind)
        return reader(chunk) if reader else [] if kind in _SILENT else [Unknown(kind)]

    def _start(self, chunk: Json) -> list[Delta]:
        self._note_id(chunk)
        return [Opened()]

    def _note_id(self, said: Json) -> None:
        if isinstance(generation := said.get("generation_id"), str):
            self._generation = generation

    def _text(self, said: Json) -> list[Delta]:
        text = text_of(said.get("text"), "text")
        return [TextDelta(self.blocks.run("text"), text)] if text else []

    def _citations(self, said: Json) -> list[Delta]:
        citations = objects_of(said.get("citations"), "citations")
        return [CitationDelta(self.blocks.run("text"), from_cohere(citation)) for citation in citations]

    def _tool_calls(self, said: Json) -> list[Delta]:
        deltas: list[Delta] = []
        for call in objects_of(said.get("tool_calls"), "tool_calls"):
            name = call.get("name")
            if not isinstance(name, str):
                raise corrupt("tool_calls")
            index = self.blocks.at(("tool", self._calls))
            call_id = f"{self._generation or 'call'}_{self._calls}"
            self._calls += 1
            arguments = compact(call.get("parameters") or {})
            deltas += [ToolCallStart(index, call_id, name), ToolCallDelta(index, arguments)]
        return deltas

    def _end(self, chunk: Json) -> list[Delta]:
        """Read the end. The text stands in it once more; calls only where no event brought them before."""
        response = object_of(chunk.get("response") or {}, "stream-end")
        calls = [] if self._calls else self._tool_calls(response)
        self._stopped(chunk.get("finish_reason") or response.get("finish_reason"))
        return [*calls, *self._counted(response)]

    def _answer(self, answer: Json) -> list[Delta]:
        if "text" not in answer and "tool_calls" not in answer:
            return unknown(answer)
        self._note_id(answer)
        deltas = [*self._text(answer), *self._citations(answer), *self._tool_calls(answer)]
        self._stopped(answer.get("finish_reason"))
        return [*deltas, *self._counted(answer)]

    def _stopped(self, said: object) -> None:
        raw = text_of(said, "finish_reason") or None
        reason = STOP_REASONS.get(raw or "", StopReason.OTHER)
        if self._calls and reason in {StopReason.END_TURN, StopReason.OTHER}:
            reason = StopReason.TOOL_USE
        self.ending.stop(reason, raw)

    def _counted(self, said: Json) -> list[Delta]:
        meta = said.get("meta")
        billed = meta.get("billed_units") if isinstance(meta, dict) else None
        if not isinstance(billed, dict):
            return []
        return self.ending.counted(Usage(count(billed.get("input_tokens")), count(billed.get("output_tokens"))))
