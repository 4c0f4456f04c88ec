"""The answers of everything that speaks in `choices`: OpenAI's chat, Mistral's, DeepSeek R1's, imported models.

A choice holds a `delta`, a `message` (whole answers, and every chunk of Mistral's chat) or bare `text`. Reasoning comes
in a member of its own or in tags inside the text. GPT's usage follows the finish reason in a chunk without choices, and
is repeated with Bedrock's metrics (recorded 2026-09).
"""

from typing import Any

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, corrupt, count, object_of, objects_of, text_of
from service.bedrock.wires.converse.answer import compact
from service.bedrock.wires.families.tags import Tagged, Where
from service.deltas import (
    Delta,
    Opened,
    ReasoningDelta,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unknown,
    Usage,
)
from service.generation import Request

STOP_REASONS = {
    "stop": StopReason.END_TURN,
    "eos_token": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.CONTENT_FILTERED,
}


class ChoicesDecoder(ChunkDecoder):
    """Reads choices. A choice after the first (`n` in `extra`) gets blocks of its own."""

    tag: str | None = "think"
    where: Where = "at the start"

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        super().__init__(request, model, prefill)
        self._tagged = Tagged(self.tag, self.where) if self.tag else None
        self._begun = False
        self._calls: dict[tuple[Any, Any], tuple[int, str]] = {}

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a chunk, or the whole answer."""
        if "choices" not in chunk:
            return self._counted(chunk) or unknown(chunk)
        deltas: list[Delta] = []
        for choice in objects_of(chunk["choices"], "choices"):
            deltas += self._choice(choice)
        return [*deltas, *self._counted(chunk)]

    def flush(self) -> list[Delta]:
        """Give what might have been the beginning of a tag."""
        return self._sorted(self._tagged.flush()) if self._tagged else []

    def _choice(self, choice: Json) -> list[Delta]:
        said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
        deltas = self._spoken(object_of(said, "delta"), choice.get("index", 0))
        if not deltas and not self._begun and choice.get("delta") is not None:
            deltas.append(Opened())
        self._begun = True
        raw = text_of(choice.get("finish_reason") or choice.get("stop_reason"), "finish_reason")
        if raw:
            deltas += self.flush()
            self._stopped(raw, choice.get("stop_reason"))
        return deltas

    def _spoken(self, said: Json, number: Any) -> list[Delta]:
        deltas: list[Delta] = []
        for member in ("reasoning_content", "reasoning"):
            if (thought := said.get(member)) and isinstance(thought, str):
                deltas.append(ReasoningDelta(self.blocks.run("reasoning"), thought))
                break
        deltas += self._content(said.get("content"))
        if refusal := text_of(said.get("refusal"), "refusal"):
            deltas.append(TextDelta(self.blocks.run("text"), refusal))
        for place, call in enumerate(objects_of(said.get("tool_calls"), "tool_calls")):
            deltas += self._call(call, (number, call.get("index", place)))
        return deltas

    def _content(self, content: Any) -> list[Delta]:
        if isinstance(content, list):  # Magistral's parts
            return [delta for part in objects_of(content, "content") for delta in self._part(part)]
        text = text_of(content, "content")
        if not text:
            return []
        return self._sorted(self._tagged.split(text) if self._tagged else [(False, text)])

    def _part(self, part: Json) -> list[Delta]:
        kind = part.get("type")
        if kind == "text":
            return self._content(text_of(part.get("text"), "content"))
        if kind == "thinking":
            thought = part.get("thinking")
            pieces = (
                [thought] if isinstance(thought, str) else [one.get("text") for one in objects_of(thought, "thinking")]
            )
            texts = [text_of(piece, "thinking") for piece in pieces]
            return [ReasoningDelta(self.blocks.run("reasoning"), text) for text in texts if text]
        return [Unknown(f"content.{kind}")]

    def _sorted(self, parts: list[tuple[bool, str]]) -> list[Delta]:
        return [
            ReasoningDelta(self.blocks.run("reasoning"), text) if thought else TextDelta(self.blocks.run("text"), text)
            for thought, text in parts
        ]

    def _call(self, call: Json, key: tuple[Any, Any]) -> list[Delta]:
        function = object_of(call.get("function"), "tool_calls")
        call_id, name = call.get("id"), function.get("name")
        known = self._calls.get(key)
        deltas: list[Delta] = []
        if known is None or (isinstance(call_id, str) and call_id and call_id != known[1]):
            if not isinstance(name, str) or not name:
                raise corrupt("tool_calls without a name")
            # An id is needed to answer the call; where the model gives none, its place in the answer serves.
            given = call_id if isinstance(call_id, str) and call_id else f"call_{len(self._calls)}"
            index = self.blocks.at((*key, given))
            known = self._calls[key] = index, given
            deltas.append(ToolCallStart(index, given, name))
        arguments = function.get("arguments")
        piece = arguments if isinstance(arguments, str) else "" if arguments is None else compact(arguments)
        return [*deltas, ToolCallDelta(known[0], piece)] if piece else deltas

    def _stopped(self, raw: str, matched: Any) -> None:
        """Note the end. vLLM names the stop sequence that hit beside the finish reason; Jamba a token (`<|eom|>`)."""
        if raw == "stop" and matched in self.request.stop_sequences:
            self.ending.stop(StopReason.STOP_SEQUENCE, raw, matched)
        else:
            self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)

    def _counted(self, chunk: Json) -> list[Delta]:
        usage = chunk.get("usage")
        return self.ending.counted(usage_of(object_of(usage, "usage"))) if usage is not None else []


def usage_of(usage: Json) -> Usage:
    """Read OpenAI's usage. Its `prompt_tokens` include the cached ones, which ours leave out as Bedrock's do."""
    details = usage.get("prompt_tokens_details") or {}
    spent = usage.get("completion_tokens_details") or {}
    read, written = count(details.get("cached_tokens")), count(details.get("cache_write_tokens"))
    prompt = count(usage.get("prompt_tokens"))
    return Usage(
        input_tokens=None if prompt is None else max(0, prompt - (read or 0) - (written or 0)),
        output_tokens=count(usage.get("completion_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        total_tokens=count(usage.get("total_tokens")),
        reasoning_tokens=count(spent.get("reasoning_tokens")),
    )
