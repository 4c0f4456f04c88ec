"""What a response's output adds up to, item by item, and the events that tell it.

Texts that follow each other are one message, whatever the wire's blocks; each call and each piece of reasoning is an
item of its own. Tools that Bedrock ran itself are not told. Reasoning that must be handed back unchanged carries what
vouches for it in `encrypted_content`: `signature:` or `redacted:` before Bedrock's own words.
"""

from typing import Any

from service.deltas import (
    CitationDelta,
    Event,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
)
from service.dialects.openai_chat.annotations import Annotations
from service.dialects.openai_responses.response import item_id

Json = dict[str, Any]

SIGNATURE = "signature:"
REDACTED = "redacted:"


class Output:
    """The items so far; `add` gives the events that tell what an event adds, without their numbers."""

    def __init__(self, stream_id: str, *, summary: bool) -> None:
        self.items: list[Json] = []
        self._stream_id = stream_id
        self._summary = summary
        self._kind: str | None = None  # of the open item; None: no item is open
        self._index = 0  # the wire's number of its block
        self._part = False  # whether its part of reasoning is open
        self._pieces: list[str] = []
        self._length = 0
        self._signature: list[str] = []
        self._annotations = Annotations()

    @property
    def place(self) -> Json:
        """Where the last item stands."""
        return {"item_id": self.items[-1]["id"], "output_index": len(self.items) - 1}

    def add(self, event: Event) -> list[Json]:
        """Fold an event in."""
        match event:
            case TextDelta():
                delta = {"type": "response.output_text.delta", "delta": event.text, "logprobs": []}
                return [*self.text(event), delta | self.place | {"content_index": 0}]
            case ReasoningDelta():
                return self._reason(event)
            case ToolCallStart():
                return self._call(event)
            case ToolCallDelta() if self._kind == "function_call":
                return [self._arguments(event.arguments)]
            case ToolResultDelta():
                return self.close()
            case CitationDelta():
                told = self._message()
                self._annotations.cite(event.index, event.citation, self._length)
                return told
        return []

    def text(self, event: TextDelta) -> list[Json]:
        """Take a piece of text, and give what must be told before it."""
        told = self._message()
        self._annotations.text(event.index, self._length)
        self._pieces.append(event.text)
        self._length += len(event.text)
        return told

    def close(self, status: str = "completed") -> list[Json]:
        """End the open item."""
        kind, self._kind = self._kind, None
        match kind:
            case "message":
                told = self._close_message()
            case "reasoning":
                told = self._close_reasoning()
            case "function_call":
                told = self._close_call()
            case _:
                return []
        item = self.items[-1]
        item["status"] = status
        return [*told, {"type": "response.output_item.done", "output_index": len(self.items) - 1, "item": dict(item)}]

    def _start(self, kind: str, prefix: str, index: int, **members: Any) -> list[Json]:
        told = self.close()
        name = item_id(prefix, self._stream_id, len(self.items))
        item = {"id": name, "type": kind, "status": "in_progress"} | members
        self.items.append(item)
        self._kind, self._index, self._part, self._length = kind, index, False, 0
        self._pieces.clear()
        self._signature.clear()
        added = {"type": "response.output_item.added", "output_index": len(self.items) - 1, "item": dict(item)}
        return [*told, added]

    # A message, and its one part.

    def _message(self) -> list[Json]:
        if self._kind == "message":
            return []
        told = self._start("message", "msg", 0, role="assistant", content=[])
        return [*told, self._part_event("added", _output_text("", []))]

    def _close_message(self) -> list[Json]:
        self._annotations.close(self._length)
        cited = [{"type": "url_citation"} | one for one in self._annotations.take()]
        text = "".join(self._pieces)
        part = _output_text(text, cited)
        self.items[-1]["content"] = [part]
        at = self.place | {"content_index": 0}
        told = [
            {"type": "response.output_text.annotation.added", "annotation_index": number, "annotation": one} | at
            for number, one in enumerate(cited)
        ]
        done = {"type": "response.output_text.done", "text": text, "logprobs": []} | at
        return [*told, done, self._part_event("done", part)]

    # Reasoning: its part is told as text or as a summary, by what the caller looks for.

    def _reason(self, event: ReasoningDelta) -> list[Json]:
        if event.redacted is not None:
            told = self._start("reasoning", "rs", event.index, summary=[])
            self.items[-1]["encrypted_content"] = REDACTED + event.redacted
            return [*told, *self.close()]
        fresh = self._kind != "reasoning" or self._index != event.index
        told = self._start("reasoning", "rs", event.index, summary=[]) if fresh else []
        if event.text:
            if not self._part:
                self._part = True
                told.append(self._part_event("added", self._thought("")))
            self._pieces.append(event.text)
            told.append({"type": f"response.{self._thought_kind}.delta", "delta": event.text} | self._thought_place)
        if event.signature is not None:
            self._signature.append(event.signature)
        return told

    def _close_reasoning(self) -> list[Json]:
        item, text = self.items[-1], "".join(self._pieces)
        if self._signature:
            item["encrypted_content"] = SIGNATURE + "".join(self._signature)
        if not self._part:
            return []
        part = self._thought(text)
        item["summary" if self._summary else "content"] = [part]
        done = {"type": f"response.{self._thought_kind}.done", "text": text} | self._thought_place
        return [done, self._part_event("done", part)]

    @property
    def _thought_kind(self) -> str:
        return "reasoning_summary_text" if self._summary else "reasoning_text"

    @property
    def _thought_place(self) -> Json:
        return self.place | {"summary_index" if self._summary else "content_index": 0}

    def _thought(self, text: str) -> Json:
        return {"type": "summary_text" if self._summary else "reasoning_text", "text": text}

    def _part_event(self, what: str, part: Json) -> Json:
        if self.items[-1]["type"] == "reasoning" and self._summary:
            return {"type": f"response.reasoning_summary_part.{what}", "part": part} | self._thought_place
        return {"type": f"response.content_part.{what}", "part": part} | self.place | {"content_index": 0}

    # A call.

    def _call(self, event: ToolCallStart) -> list[Json]:
        if event.server:
            return self.close()
        return self._start("function_call", "fc", event.index, call_id=event.id, name=event.name, arguments="")

    def _arguments(self, text: str) -> Json:
        self._pieces.append(text)
        return {"type": "response.function_call_arguments.delta", "delta": text} | self.place

    def _close_call(self) -> list[Json]:
        told = [] if self._pieces else [self._arguments("{}")]  # a tool that takes none
        item, arguments = self.items[-1], "".join(self._pieces)
        item["arguments"] = arguments
        done = {"type": "response.function_call_arguments.done", "name": item["name"], "arguments": arguments}
        return [*told, done | self.place]


def _output_text(text: str, cited: list[Json]) -> Json:
    return {"type": "output_text", "text": text, "annotations": cited, "logprobs": []}
