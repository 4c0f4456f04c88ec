"""Native events: the log's numbered events as Server-Sent Events, and as one JSON answer."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from service.answer import Answer
from service.deltas import (
    CitationDelta,
    Done,
    Event,
    Failed,
    GuardrailTrace,
    Metrics,
    Progress,
    ReasoningDelta,
    Start,
    Status,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Usage,
)
from service.dialects.dialect import Heading
from service.dialects.sse import KEEP_ALIVE, dumps, escape_line_ends
from service.errors import ServiceError

Json = dict[str, Any]

RETRY_MS = 1000
"""How soon a browser should come back."""

_RETRY = b"retry: %d\n" % RETRY_MS
_RECONNECT = b"%bevent: reconnect\ndata: {}\n\n" % _RETRY
_text = msgspec.json.Encoder().encode


class NativeEvents:
    """One reader's encoder. It keeps no state: any event can be encoded without those before it."""

    media_type = "text/event-stream"
    heartbeat = KEEP_ALIVE

    def __init__(self, heading: Heading) -> None:
        self._id = heading.stream_id.encode()
        self._stream_id = heading.stream_id

    def encode(self, first: int, events: Sequence[Event]) -> bytes:
        """Encode a batch."""
        stream_id = self._id
        encoded = []
        for n, event in enumerate(events, first):
            if type(event) is TextDelta:  # nearly every event
                encoded.append(b'id: %b-%d\ndata: {"text":%b}\n\n' % (stream_id, n, _text(event.text)))
            else:
                name, payload = self._payload(event)
                retry = _RETRY if type(event) is Start else b""
                encoded.append(b"%bid: %b-%d\n%bdata: %b\n\n" % (retry, stream_id, n, name, _text(payload)))
        joined = b"".join(encoded)
        return joined if joined.isascii() else escape_line_ends(joined)

    def reconnect(self) -> bytes:
        """Say that the server closes while the generation goes on."""
        return _RECONNECT

    def _payload(self, event: Event) -> tuple[bytes, Json]:
        match event:
            case TextDelta(text=text):
                return b"", {"text": text}
            case Start():
                return b"event: start\n", structs.asdict(event)
            case ReasoningDelta():
                said = {"text": event.text, "signature": event.signature, "redacted": event.redacted}
                return b"event: reasoning\n", _set(said)
            case ToolCallStart():
                call = {"index": event.index, "id": event.id, "name": event.name}
                return b"event: tool_call\n", call | ({"server": True} if event.server else {})
            case ToolCallDelta():
                return b"event: tool_call\n", {"index": event.index, "arguments": event.arguments}
            case ToolResultDelta():
                return b"event: tool_result\n", structs.asdict(event)
            case CitationDelta():
                return b"event: citation\n", event.citation
            case GuardrailTrace():
                return b"event: guardrail\n", event.trace
            case Progress():
                return b"event: progress\n", structs.asdict(event)
            case Status():
                return b"event: status\n", _set(structs.asdict(event))
            case Done():
                return b"", {"done": True, **_ending(event)}
            case Failed():
                return b"", failure(event, self._stream_id)


def whole(heading: Heading, events: Sequence[Event], end: Done) -> Json:
    """Fold a stream that ended well into the answer of `stream: false`."""
    answer = Answer(events)
    return {
        "text": answer.text,
        "model_id": end.metrics.model_id or heading.model_id,
        "latency": end.metrics.latency,
        "stream_id": heading.stream_id,
        **_ending(end),
        "content": answer.content,
    }


def snapshot(heading: Heading, state: str, events: Sequence[Event], *, resumable: bool, dropped: Sequence[str]) -> Json:
    """Describe a stream as it stands, finished or not."""
    answer = Answer(events)
    end = answer.end
    described: Json = {
        "stream_id": heading.stream_id,
        "model_id": heading.after(events).model_id,
        "state": state,
        "text": answer.text,
        "content": answer.content,
        "usage": usage(end.usage) if isinstance(end, Done) else None,
        "last_event": len(events),
        "resumable": resumable,
        "error": failure(end, heading.stream_id) if isinstance(end, Failed) else None,
    }
    if isinstance(end, Done):
        described |= {"stop_reason": end.stop_reason, "raw_stop_reason": end.raw_stop_reason}
        described["metrics"] = metrics(end.metrics)
    return described | ({"dropped": list(dropped)} if dropped else {})


def failure(failed: Failed, stream_id: str) -> Json:
    """Tell of a failure, as the last event of a stream does."""
    return {
        "error": failed.message,
        "code": failed.code,
        "status": failed.status,
        "retryable": failed.retryable,
        "partial": failed.partial,
        "stream_id": stream_id,
    }


def refusal_event(error: ServiceError, stream_id: str) -> bytes:
    """Tell an EventSource, which cannot read an HTTP error, that there will be no stream."""
    failed = Failed(error.code.name, error.message, error.status, error.retryable, partial=False)
    return b"%bid: %b-1\ndata: %b\n\n" % (_RETRY, stream_id.encode(), dumps(failure(failed, stream_id)))


def usage(counted: Usage) -> Json:
    """Show usage in the native members."""
    return {
        "input_tokens": counted.input_tokens,
        "output_tokens": counted.output_tokens,
        "cache_read_tokens": counted.cache_read_tokens,
        "cache_write_tokens": counted.cache_write_tokens,
        "total_tokens": counted.total_tokens,
        "estimated": counted.estimated,
    }


def metrics(measured: Metrics) -> Json:
    """Show metrics; Bedrock's own clock only where it was reported."""
    shown = structs.asdict(measured)
    for name in ("bedrock_latency_ms", "bedrock_first_byte_ms"):
        if shown[name] is None:
            del shown[name]
    return shown


def _ending(end: Done) -> Json:
    return {
        "stop_reason": end.stop_reason,
        "raw_stop_reason": end.raw_stop_reason,
        "usage": usage(end.usage),
        "metrics": metrics(end.metrics),
    }


def _set(members: Json) -> Json:
    return {name: value for name, value in members.items() if value is not None}
