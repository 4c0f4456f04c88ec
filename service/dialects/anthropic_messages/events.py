"""A stream as Anthropic's events: named, and with an id on the last of each group that one delta makes.

A client that lost its connection inside a group has the id of the group before, and gets the group again from its
start: nothing is lost. Blocks are numbered from 0 without a gap, whatever the wire's numbers: the SDKs' accumulators
find a block by its place. What Bedrock's own tools do is not told, for there is no block for it.
"""

from collections.abc import Sequence
from typing import Any

from service.deltas import (
    CitationDelta,
    Done,
    Event,
    Failed,
    ReasoningDelta,
    Status,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
)
from service.dialects import sse
from service.dialects.anthropic_messages.citations import citation
from service.dialects.anthropic_messages.errors import error_body
from service.dialects.anthropic_messages.message import opening, stop_reason, usage
from service.dialects.dialect import Heading
from service.dialects.refusal import TAKEN_BACK, cut_off

Json = dict[str, Any]

_EMPTY: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class MessagesEvents:
    """One reader's encoder."""

    media_type = "text/event-stream"
    heartbeat = b'event: ping\ndata: {"type":"ping"}\n\n'

    def __init__(self, heading: Heading, options: None = None) -> None:  # noqa: ARG002 - as in every dialect
        self._heading = heading
        self._block = -1  # the number of the last block
        self._kind: str | None = None  # of the open block; None: no block is open
        self._index = 0  # the wire's number of the open block
        self._signature: list[str] = []
        self._begun = self._said = self._ended = False
        self._text = (b"", b"")

    def encode(self, first: int, events: Sequence[Event]) -> bytes:
        """Encode a batch as one write."""
        told: list[bytes] = []
        for number, event in enumerate(events, first):
            if self._ended:
                break
            group: list[bytes] = []
            if not self._begun:
                self._begun = True
                self._heading = self._heading.after(events)
                group.append(_named({"type": "message_start", "message": opening(self._heading)}))
            self._tell(event, group)
            if group:
                group.insert(-1, b"id: %b-%d\n" % (self._heading.stream_id.encode(), number))
                told += group
        return b"".join(told)

    def reconnect(self) -> bytes:
        """Say that the server closes: not every client can come back with the last id."""
        return b"" if self._ended else _named(error_body(cut_off(self._heading.stream_id)))

    def _tell(self, event: Event, group: list[bytes]) -> None:
        match event:
            case TextDelta():
                self._open("text", event.index, group)
                before, after = self._text
                group.append(before + sse.dumps(event.text) + after)
            case ToolCallDelta():
                if self._kind == "tool_use":
                    self._delta({"type": "input_json_delta", "partial_json": event.arguments}, group)
            case ReasoningDelta():
                self._reason(event, group)
            case ToolCallStart():
                self._call(event, group)
            case ToolResultDelta():
                self._close(group)
            case CitationDelta():
                self._open("text", event.index, group)
                if (cited := citation(event.citation)) is not None:
                    self._delta({"type": "citations_delta", "citation": cited}, group)
            case Status(state="restarted"):
                if self._said:
                    self._fail(TAKEN_BACK, group)
            case Done():
                self._end(event, group)
            case Failed():
                self._fail(event, group)

    def _reason(self, event: ReasoningDelta, group: list[bytes]) -> None:
        if event.redacted is not None:
            self._start({"type": "redacted_thinking", "data": event.redacted}, event.index, group)
            self._close(group)
            return
        self._open("thinking", event.index, group)
        if event.text:
            self._delta({"type": "thinking_delta", "thinking": event.text}, group)
        if event.signature is not None:
            self._signature.append(event.signature)  # told whole, as the SDKs keep only the last of several

    def _call(self, event: ToolCallStart, group: list[bytes]) -> None:
        if event.server:
            self._close(group)
            return
        self._start({"type": "tool_use", "id": event.id, "name": event.name, "input": {}}, event.index, group)

    def _open(self, kind: str, index: int, group: list[bytes]) -> None:
        """Turn to a block of text or thinking, ending the one before."""
        if self._kind != kind or self._index != index:
            self._start(_EMPTY[kind], index, group)

    def _start(self, block: Json, index: int, group: list[bytes]) -> None:
        self._close(group)
        self._said = True
        self._block += 1
        self._kind, self._index = block["type"], index
        # Nearly every event is a piece of text: what stands around it is made once a block.
        self._text = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
            b'"delta":{"type":"text_delta","text":' % self._block,
            b"}}\n\n",
        )
        group.append(_named({"type": "content_block_start", "index": self._block, "content_block": block}))

    def _close(self, group: list[bytes]) -> None:
        if self._kind is None:
            return
        if self._signature:
            self._delta({"type": "signature_delta", "signature": "".join(self._signature)}, group)
            self._signature.clear()
        self._kind = None
        group.append(_named({"type": "content_block_stop", "index": self._block}))

    def _delta(self, delta: Json, group: list[bytes]) -> None:
        group.append(_named({"type": "content_block_delta", "index": self._block, "delta": delta}))

    def _end(self, event: Done, group: list[bytes]) -> None:
        self._ended = True
        self._close(group)
        reason = stop_reason(event.stop_reason, event.raw_stop_reason)
        stop = {"stop_reason": reason, "stop_sequence": event.stop_sequence}
        group.append(_named({"type": "message_delta", "delta": stop, "usage": usage(event.usage)}))
        group.append(_named({"type": "message_stop"}))

    def _fail(self, event: Failed, group: list[bytes]) -> None:
        self._ended = True
        group.append(_named(error_body(event)))


def _named(event: Json) -> bytes:
    """Frame an event; the SDKs know it by its name, and pass over one without."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), sse.dumps(event))
