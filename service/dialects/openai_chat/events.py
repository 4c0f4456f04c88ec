"""A stream as Chat Completions chunks: unnamed events without ids, and `[DONE]` at the end.

No `id:` and no `retry:`: openai-python makes an empty event of a later blank line, or of the block itself, and dies
of it (1.109 to 3.54).
"""

from collections.abc import Sequence
from typing import Any

from service.deltas import Done, Event, Failed, Status, TextDelta
from service.dialects import sse
from service.dialects.dialect import Heading
from service.dialects.openai_chat.answer import FINISH_REASONS, ChoiceFolder, usage
from service.dialects.openai_chat.errors import error_body
from service.dialects.openai_chat.request import ChatOptions
from service.dialects.refusal import TAKEN_BACK, cut_off

Json = dict[str, Any]

_TEXT = "<text>"


class ChatEvents:
    """One reader's encoder."""

    media_type = "text/event-stream"
    heartbeat = sse.KEEP_ALIVE

    def __init__(self, heading: Heading, options: ChatOptions | None = None) -> None:
        self._options = options or ChatOptions()
        self._answer = ChoiceFolder()
        self._begun = self._said = self._ended = False
        self._head(heading)

    def _head(self, heading: Heading) -> None:
        """Make what every chunk has around it."""
        self._heading = heading
        self._envelope = envelope(heading, "chat.completion.chunk")
        # Nearly every event is a piece of text: its chunk is made once, and the text put in.
        self._before, _, self._after = self._chunk({"content": _TEXT}).rpartition(sse.dumps(_TEXT))

    def encode(self, first: int, events: Sequence[Event]) -> bytes:  # noqa: ARG002 - the log's numbers have no place here
        """Encode a batch as one write."""
        told: list[bytes] = []
        for event in events:
            if self._ended:
                break
            if not self._begun:
                self._begun = True
                self._head(self._heading.after(events))
                told.append(self._chunk({"role": "assistant", "content": None}))
            self._tell(event, told)
        return b"".join(told)

    def reconnect(self) -> bytes:
        """Say that the server closes: the SDKs take a bare close for the end of the answer."""
        return b"" if self._ended else _block(error_body(cut_off(self._heading.stream_id)))

    def _tell(self, event: Event, told: list[bytes]) -> None:
        match event:
            case TextDelta():
                told.extend(map(self._chunk, self._answer.text(event)))
                told.append(self._before + sse.dumps(event.text) + self._after)
                self._said = True
            case Done():
                self._end(event, told)
            case Failed():
                self._fail(event, told)
            case Status(state="restarted"):
                if self._said:
                    self._fail(TAKEN_BACK, told)
            case Status(state="fallback"):
                self._head(self._heading.after((event,)))
            case _:
                pieces = self._answer.add(event)
                told.extend(map(self._chunk, pieces))
                self._said = self._said or bool(pieces)

    def _end(self, event: Done, told: list[bytes]) -> None:
        self._ended = True
        told.extend(map(self._chunk, self._answer.close()))
        told.append(self._chunk({}, FINISH_REASONS[event.stop_reason]))
        if self._options.include_usage and (spent := usage(event.usage)) is not None:
            told.append(_block(self._envelope | {"choices": [], "usage": spent}))
        told.append(b"data: [DONE]\n\n")

    def _fail(self, event: Failed, told: list[bytes]) -> None:
        self._ended = True
        told.append(_block(error_body(event)))

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage_to_come = {"usage": None} if self._options.include_usage else {}
        return _block(self._envelope | {"choices": [choice]} | usage_to_come)


def envelope(heading: Heading, kind: str) -> Json:
    """Say what every chunk and the whole answer say of themselves."""
    return {
        "id": f"chatcmpl-{heading.stream_id}",
        "object": kind,
        "created": int(heading.created),
        "model": heading.model_id,
    }


def _block(chunk: Json) -> bytes:
    return b"data: " + sse.dumps(chunk) + b"\n\n"
