"""The answers of Converse: the events of a stream, and the whole body. Members are in alphabetical order (recorded)."""

import json

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local.answer import Block, End, Piece
from service.local.converse.shapes import ConverseRequest
from service.local.text import tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame, Phase

_CLAUDE = Chunking(1, 4, opens_calls=True)
_CHUNKINGS = {
    "claude_messages": _CLAUDE,
    "claude_text": _CLAUDE,
    "nova": Chunking(1, 4, whole_calls=True),
    "titan": Chunking(80, 160),
    "command": Chunking(1, 2),
}
_DEFAULT = Chunking(1, 3)

UNKNOWN_DELTA = LocalFrame({"contentBlockIndex": 0, "delta": {"hologram": {"depth": 3}}}, event="contentBlockDelta")
"""A delta of a kind that no client knows."""


def chunking_of(model: Model) -> Chunking:
    """Return the sizes of a model's pieces on ConverseStream."""
    return _CHUNKINGS.get(model.family, _DEFAULT)


def call_id_prefix(model: Model) -> str:
    """Return the first characters of the ids of tool calls."""
    return "functions." if model.series.startswith("kimi") else "tooluse_"


class EchoedFields(Struct, frozen=True):
    """The parts of the request that the answer repeats. `paths`: the response fields that the request asks for."""

    paths: tuple[str, ...] = ()
    members: Json = {}

    @classmethod
    def of(cls, request: ConverseRequest) -> "EchoedFields":
        """Read the latency, the tier and the response field paths of a request."""
        members: Json = {}
        if request.performance_config:
            members["performanceConfig"] = {"latency": request.performance_config.latency}
        if request.service_tier:
            members["serviceTier"] = {"type": request.service_tier.type}
        return cls(tuple(request.additional_model_response_field_paths), members)


class ConverseWriter:
    """Writes the events of one answer. Text and reasoning open without a contentBlockStart (recorded)."""

    def __init__(self, model: Model, echo: EchoedFields) -> None:
        self._model = model
        self._echo = echo
        # With Claude 4.5 and later, client tools have a type too (recorded, outside the service model's enum).
        self._typed = "-4-5" in model.id or model.series == "claude_adaptive"
        self._shift = 1 if model.series == "gpt_oss" else 0

    def begin(self) -> list[LocalFrame]:
        """Write the start of the answer; gpt-oss adds an empty block before all others (recorded)."""
        frames = [LocalFrame({"role": "assistant"}, "open", "messageStart")]
        if self._shift:
            frames += [self._delta(-1, {"text": ""}), self._stop(-1)]
        elif self._model.series.startswith("jamba"):
            frames.append(self._delta(0, {"text": ""}))
        return frames

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece, and the start and the end of its block."""
        block, frames = piece.block, []
        if piece.first and (start := _start(block, typed=self._typed)):
            frames.append(
                LocalFrame({"contentBlockIndex": self._at(block.index), "start": start}, "other", "contentBlockStart")
            )
        if piece.first and block.citation:
            frames.append(self._delta(block.index, {"citation": block.citation}, "delta"))
        if piece.text or block.kind in {"call", "server_call"}:
            frames.append(self._delta(block.index, write_delta(block, piece.text), "delta" if piece.text else "other"))
            if piece.first and block.kind == "text" and self._model.family == "nova":
                frames.append(self._delta(block.index, {"text": ""}))  # recorded
        if piece.last:
            if block.signature:
                frames.append(self._delta(block.index, {"reasoningContent": {"signature": block.signature}}, "delta"))
            if block.kind == "text" and self._model.family in {"nova", "llama", "mistral_prompt", "mistral_chat"}:
                frames.append(self._delta(block.index, {"text": ""}))  # they close a text so (recorded)
            frames.append(self._stop(block.index))
        return frames

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason, then the usage."""
        stop: Json = {"stopReason": end.stop}
        if (fields := find_response_fields(end, self._echo.paths, "/delta")) is not None:
            stop = {"additionalModelResponseFields": fields, **stop}
        return [
            LocalFrame(stop, "stop", "messageStop"),
            LocalFrame(write_metadata(self._model, end, self._echo), "last", "metadata"),
        ]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer; R1's reasoning follows its text (recorded)."""
        if self._model.series == "deepseek_r1":
            blocks = sorted(blocks, key=lambda block: block.kind == "thinking")
        body: Json = {
            "metrics": {"latencyMs": end.latency_ms},
            "output": {"message": {"content": [_content(block) for block in blocks], "role": "assistant"}},
            "stopReason": end.stop,
            "usage": write_usage(self._model, end),
        }
        if (fields := find_response_fields(end, self._echo.paths, "")) is not None:
            body["additionalModelResponseFields"] = fields
        if end.trace:
            body["trace"] = {"guardrail": end.trace}
        return {**body, **self._echo.members}

    def _at(self, index: int) -> int:
        return index + self._shift

    def _delta(self, index: int, delta: Json, phase: Phase = "other") -> LocalFrame:
        return LocalFrame({"contentBlockIndex": self._at(index), "delta": delta}, phase, "contentBlockDelta")

    def _stop(self, index: int) -> LocalFrame:
        return LocalFrame({"contentBlockIndex": self._at(index)}, "other", "contentBlockStop")


def _start(block: Block, *, typed: bool) -> Json | None:
    match block.kind:
        case "call":
            kind = {"type": "tool_use"} if typed else {}
            return {"toolUse": {"name": block.name, "toolUseId": block.id, **kind}}
        case "server_call":
            return {"toolUse": {"name": block.name, "toolUseId": block.id, "type": "server_tool_use"}}
        case "server_result":
            return {"toolResult": {"status": "success", "toolUseId": block.id, "type": f"{block.name}_result"}}
        case _:
            return None


def write_delta(block: Block, text: str) -> Json:
    """Write the delta of a piece of a block."""
    match block.kind:
        case "thinking":
            return {"reasoningContent": {"text": text}}
        case "redacted":
            return {"reasoningContent": {"redactedContent": text}}
        case "call" | "server_call":
            return {"toolUse": {"input": text}}
        case "server_result":
            return {"toolResult": [{"json": json.loads(text)}]}
        case _:
            return {"text": text}


def _content(block: Block) -> Json:
    match block.kind:
        case "thinking":
            signed = {"signature": block.signature} if block.signature else {}
            return {"reasoningContent": {"reasoningText": {**signed, "text": block.text}}}
        case "redacted":
            return {"reasoningContent": {"redactedContent": block.text}}
        case "call" | "server_call":
            server = {"type": "server_tool_use"} if block.kind == "server_call" else {}
            return {
                "toolUse": {
                    "input": tool_choice.parse_arguments(block.text),
                    "name": block.name,
                    "toolUseId": block.id,
                    **server,
                }
            }
        case "server_result":
            content = [{"json": json.loads(block.text)}]
            return {"toolResult": {"content": content, "status": "success", "toolUseId": block.id}}
        case "text" if block.citation:
            return {"citationsContent": {"citations": [block.citation], "content": [{"text": block.text}]}}
        case _:
            return {"text": block.text}


def write_metadata(model: Model, end: End, echo: EchoedFields) -> Json:
    """Write the metadata event, the last one of a stream."""
    members: Json = {"metrics": {"latencyMs": end.latency_ms}, "usage": write_usage(model, end), **echo.members}
    if end.trace:
        members["trace"] = {"guardrail": end.trace}
    return dict(sorted(members.items()))


def write_usage(model: Model, end: End) -> Json:
    """Write the tokens; for models with a prompt cache also the cached ones, by old and new names (recorded)."""
    spent = end.usage
    counted: Json = {}
    if model.on("converse").cache_points:
        counted = {
            "cacheReadInputTokenCount": spent.cache_read,
            "cacheReadInputTokens": spent.cache_read,
            "cacheWriteInputTokenCount": spent.cache_write,
            "cacheWriteInputTokens": spent.cache_write,
        }
    return {
        **counted,
        "inputTokens": spent.input,
        "outputTokens": spent.output,
        "serverToolUsage": {},
        "totalTokens": spent.total,
    }


def find_response_fields(end: End, paths: tuple[str, ...], under: str) -> Json | None:
    """Return what `additionalModelResponseFieldPaths` asks for: the stop sequence that ended the answer."""
    if f"{under}/stop_sequence" not in paths:
        return None
    found = {"stop_sequence": end.sequence}
    return {under.strip("/"): found} if under else found
