"""What a Chat Completions answer adds up to, piece by piece: the state of the stream and the whole answer alike.

Tools are counted, not blocks; `arguments` stay the text they came as, and are `{}` where a tool takes none. Tools that
Bedrock ran itself are not told: a client would take them for calls of its own.
"""

from typing import Any

from service.deltas import (
    CitationDelta,
    Event,
    ReasoningDelta,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from service.dialects.openai_chat.annotations import Annotations

Json = dict[str, Any]

FINISH_REASONS = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_WINDOW_EXCEEDED: "length",
    StopReason.CONTENT_FILTERED: "content_filter",
    StopReason.GUARDRAIL_INTERVENED: "content_filter",
    # For these OpenAI has no word. Neither `length` nor `content_filter` would be true, and clients act upon both.
    StopReason.MALFORMED_OUTPUT: "stop",
    StopReason.CANCELLED: "stop",
    StopReason.OTHER: "stop",
}


class ChoiceFolder:
    """One choice's message so far; `add` gives what an event adds, as the pieces of `delta` in which it is told."""

    def __init__(self) -> None:
        self._length = 0  # of the text, in characters
        self._annotations = Annotations()
        self._kind: str | None = None
        self._index = 0
        self._calls = 0
        self._server = False  # the open call is Bedrock's own
        self._bare = False  # the open call has no arguments yet
        self._details = 0
        self._thought: list[str] = []
        self._signing = False

    def add(self, event: Event) -> list[Json]:
        """Fold an event in."""
        match event:
            case TextDelta():
                return [*self.text(event), {"content": event.text}]
            case ReasoningDelta():
                return [*self._open("reasoning", event.index), *self._reason(event)]
            case ToolCallStart():
                return [*self._open("tool", event.index, new=True), *self._call(event)]
            case ToolCallDelta() if self._kind == "tool" and not self._server:
                return [self._arguments(event.arguments)]
            case CitationDelta():
                pieces = self._open("text", event.index)
                self._annotations.cite(event.index, event.citation, self._length)
                return pieces
        return []

    def text(self, event: TextDelta) -> list[Json]:
        """Count a piece of text, and give what must be told before it."""
        pieces = self._open("text", event.index)
        self._annotations.text(event.index, self._length)
        self._length += len(event.text)
        return pieces

    def close(self) -> list[Json]:
        """End the open block, and the answer with it."""
        pieces = self._open("end", 0)
        if cited := self._annotations.take():
            # All at once: the Python SDK's accumulator adds to a list of objects only by an `index` in them (3.52).
            pieces.append({"annotations": [{"type": "url_citation", "url_citation": one} for one in cited]})
        return pieces

    def _open(self, kind: str, index: int, *, new: bool = False) -> list[Json]:
        """Turn to a block, ending the one before."""
        if self._kind == kind and self._index == index and not new:
            return []
        pieces = [self._arguments("{}")] if self._bare else []
        if self._kind == "text":
            self._annotations.close(self._length)
        self._kind, self._index, self._server, self._signing = kind, index, False, False
        self._thought.clear()
        return pieces

    def _call(self, event: ToolCallStart) -> list[Json]:
        self._server, self._bare = event.server, not event.server
        if event.server:
            return []
        self._calls += 1
        function = {"name": event.name, "arguments": ""}
        return [{"tool_calls": [{"index": self._calls - 1, "id": event.id, "type": "function", "function": function}]}]

    def _arguments(self, text: str) -> Json:
        self._bare = False
        return {"tool_calls": [{"index": self._calls - 1, "function": {"arguments": text}}]}

    def _reason(self, event: ReasoningDelta) -> list[Json]:
        """Tell reasoning, and beside it what must be handed back unchanged, for which OpenAI's format has no place."""
        if event.redacted is not None:
            self._kind = None  # each piece is a block of its own
            return [self._detail({"type": "reasoning.encrypted", "data": event.redacted})]
        pieces: list[Json] = []
        if event.text:
            self._thought.append(event.text)
            pieces.append({"reasoning_content": event.text})
        if event.signature is not None:
            pieces.append(self._sign(event.signature))
        return pieces

    def _sign(self, signature: str) -> Json:
        if self._signing:
            more = {"index": self._details - 1, "type": "reasoning.text", "signature": signature}
            return {"reasoning_details": [more]}
        self._signing = True
        return self._detail({"type": "reasoning.text", "text": "".join(self._thought), "signature": signature})

    def _detail(self, entry: Json) -> Json:
        self._details += 1
        return {"reasoning_details": [{"index": self._details - 1} | entry]}


def usage(spent: Usage) -> Json | None:
    """Tell the usage: `prompt_tokens` includes what was cached. None where nobody reported any."""
    if spent.input_tokens is None and spent.output_tokens is None:
        return None
    read, written = spent.cache_read_tokens, spent.cache_write_tokens
    prompt = (spent.input_tokens or 0) + (read or 0) + (written or 0)
    completion = spent.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
    }
