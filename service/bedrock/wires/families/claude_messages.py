"""Claude 3 and later on InvokeModel: Anthropic's Messages, with the version in the body and no `model` or `stream`.

Shapes as recorded from the real Bedrock (public test suites, 2024 to 2026). Tokens of input are counted in
message_start, of output in message_delta; the count in message_start (1 to 8, recorded) is a beginning and not told.
"""

import msgspec
from msgspec import Struct

from service.bedrock.decoder import ChunkDecoder
from service.bedrock.json_fields import Json, corrupt, count, object_of, objects_of, text_of
from service.bedrock.wires.converse.answer import compact
from service.bedrock.wires.families.citations import from_anthropic
from service.deltas import (
    CitationDelta,
    Delta,
    Opened,
    ReasoningDelta,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Unknown,
    Usage,
)

STOP_REASONS = {
    "end_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
    "refusal": StopReason.CONTENT_FILTERED,
    "model_context_window_exceeded": StopReason.CONTEXT_WINDOW_EXCEEDED,
}


class _ClaudeDelta(Struct, tag_field="type", tag="text_delta", forbid_unknown_fields=True, gc=False):
    text: str


class _ClaudeText(Struct, tag_field="type", tag="content_block_delta", forbid_unknown_fields=True, gc=False):
    index: int
    delta: _ClaudeDelta


_parse_text = msgspec.json.Decoder(_ClaudeText).decode


class ClaudeMessagesDecoder(ChunkDecoder):
    """Reads Anthropic's events, and the whole message."""

    def text(self, chunk: bytes) -> TextDelta | None:
        """Recognise a piece of text."""
        try:
            said = _parse_text(chunk)
        except ValueError:
            return None
        return TextDelta(self.blocks.at(said.index), said.delta.text) if said.delta.text else None

    def read(self, chunk: Json) -> list[Delta]:
        """Translate one event."""
        kind = chunk.get("type")
        if not isinstance(kind, str):
            raise corrupt("chunk without a type")
        match kind:
            case "message_start":
                return self._message_start(chunk)
            case "content_block_start":
                return self._block_start(chunk)
            case "content_block_delta":
                return self._block_delta(chunk)
            case "message_delta":
                return self._message_delta(chunk)
            case "message":
                return self._message(chunk)
            case "content_block_stop" | "message_stop" | "ping":
                return []
        return [Unknown(kind)]

    def _message_start(self, chunk: Json) -> list[Delta]:
        usage = object_of(chunk.get("message"), "message_start").get("usage") or {}
        return [Opened(), *self.ending.counted(_usage(usage, output=None))]

    def _message_delta(self, chunk: Json) -> list[Delta]:
        self._stopped(object_of(chunk.get("delta"), "message_delta"))
        usage = chunk.get("usage") or {}
        return self.ending.counted(_usage(usage, output=count(usage.get("output_tokens"))))

    def _message(self, answer: Json) -> list[Delta]:
        deltas: list[Delta] = []
        for number, block in enumerate(objects_of(answer.get("content"), "content")):
            deltas += self._opened(number, block)
        self._stopped(answer)
        usage = answer.get("usage") or {}
        return [*deltas, *self.ending.counted(_usage(usage, output=count(usage.get("output_tokens"))))]

    def _stopped(self, said: Json) -> None:
        if raw := text_of(said.get("stop_reason"), "stop_reason"):
            sequence = said.get("stop_sequence")
            reason = STOP_REASONS.get(raw, StopReason.OTHER)
            self.ending.stop(reason, raw, sequence if isinstance(sequence, str) else None)

    def _block_start(self, chunk: Json) -> list[Delta]:
        return self._opened(_index(chunk), object_of(chunk.get("content_block"), "content_block_start"))

    def _opened(self, place: int, block: Json) -> list[Delta]:
        """Read a block as it opens in a stream, nearly empty, or as it stands in a whole message."""
        kind = text_of(block.get("type"), "content_block")
        if kind == "text":
            citations = objects_of(block.get("citations"), "citations")
            text = text_of(block.get("text"), "text")
            cited: list[Delta] = [CitationDelta(self.blocks.at(place), from_anthropic(one)) for one in citations]
            return [*cited, TextDelta(self.blocks.at(place), text)] if text else cited
        if kind == "thinking":
            pieces = {"text": block.get("thinking"), "signature": block.get("signature")}
            said = {name: text_of(piece, "thinking") for name, piece in pieces.items()}
            return [ReasoningDelta(self.blocks.at(place), **{name: piece}) for name, piece in said.items() if piece]
        if kind == "redacted_thinking":
            return [ReasoningDelta(self.blocks.at(place), redacted=text_of(block.get("data"), "redacted_thinking"))]
        if kind in {"tool_use", "server_tool_use"}:
            return self._call(place, block, server=kind == "server_tool_use")
        if kind.endswith("_tool_result"):
            return [self._result(place, block)]
        return [Unknown(f"content_block_start.{kind}")]

    def _call(self, place: int, block: Json, *, server: bool) -> list[Delta]:
        call_id, name, arguments = block.get("id"), block.get("name"), block.get("input")
        if not isinstance(call_id, str) or not isinstance(name, str):
            raise corrupt("tool_use")
        index = self.blocks.at(place)
        start = ToolCallStart(index, call_id, name, server)
        return [start, ToolCallDelta(index, compact(arguments))] if arguments else [start]

    def _result(self, place: int, block: Json) -> Delta:
        content = block.get("content")
        parts = content if isinstance(content, list) else [content]
        failed = isinstance(content, dict) and str(content.get("type", "")).endswith("_error")
        call_id = text_of(block.get("tool_use_id"), "tool_result")
        return ToolResultDelta(self.blocks.at(place), call_id, [{"json": part} for part in parts], failed)

    def _block_delta(self, chunk: Json) -> list[Delta]:
        place = _index(chunk)
        delta = object_of(chunk.get("delta"), "content_block_delta")
        kind = delta.get("type")
        if kind == "text_delta":
            text = _required(delta, "text")
            return [TextDelta(self.blocks.at(place), text)] if text else []
        if kind == "input_json_delta":
            piece = _required(delta, "partial_json")
            return [ToolCallDelta(self.blocks.at(place), piece)] if piece else []
        if kind == "thinking_delta":
            piece = _required(delta, "thinking")
            return [ReasoningDelta(self.blocks.at(place), text=piece)] if piece else []
        if kind == "signature_delta":
            piece = _required(delta, "signature")
            return [ReasoningDelta(self.blocks.at(place), signature=piece)] if piece else []
        if kind == "citations_delta":
            citation = object_of(delta.get("citation"), "citations_delta")
            return [CitationDelta(self.blocks.at(place), from_anthropic(citation))]
        return [Unknown(f"content_block_delta.{kind}")]


def _index(chunk: Json) -> int:
    index = chunk.get("index")
    if not isinstance(index, int):
        raise corrupt(str(chunk.get("type")))
    return index


def _required(delta: Json, member: str) -> str:
    piece = delta.get(member)
    if not isinstance(piece, str):
        raise corrupt(str(delta.get("type")))
    return piece


def _usage(usage: Json, *, output: int | None) -> Usage:
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=output,
        cache_read_tokens=count(usage.get("cache_read_input_tokens")),
        cache_write_tokens=count(usage.get("cache_creation_input_tokens")),
    )
