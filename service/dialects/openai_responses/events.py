"""A stream as the events of a response, each named by its type and numbered from 0 in this format's own count.

No `id:` and no `retry:`, as on Chat Completions. A reader that comes back says after which number it goes on; its
encoder is fed the log from the start, and tells only what comes after.
"""

from collections.abc import Sequence
from typing import Any

from service.deltas import Done, Event, Failed, Status, TextDelta
from service.dialects import sse
from service.dialects.dialect import Heading
from service.dialects.openai_responses.output import Output
from service.dialects.openai_responses.response import ResponsesOptions, ResponseState, ended, response
from service.dialects.refusal import TAKEN_BACK

Json = dict[str, Any]

_IN_PROGRESS = ResponseState("in_progress")


class ResponsesEvents:
    """One reader's encoder; `starting_after` is the last number the reader has seen."""

    media_type = "text/event-stream"
    heartbeat = sse.KEEP_ALIVE

    def __init__(self, heading: Heading, options: ResponsesOptions | None = None, *, starting_after: int = -1) -> None:
        self._heading = heading
        self._options = options or ResponsesOptions()
        self._after = starting_after
        self._output = Output(heading.stream_id, summary=self._options.summary)
        self._next = 0
        self._begun = self._ended = False

    def encode(self, first: int, events: Sequence[Event]) -> bytes:  # noqa: ARG002 - this format counts its own events
        """Encode a batch as one write."""
        told: list[bytes] = []
        for event in events:
            if self._ended:
                break
            if not self._begun:
                self._begun = True
                self._heading = self._heading.after(events)
                begun = response(self._heading, self._options, _IN_PROGRESS, [])
                self._number([{"type": kind, "response": begun} for kind in _BEGINNING], told)
            self._tell(event, told)
        return b"".join(told)

    def reconnect(self) -> bytes:
        """Say nothing: the response is not over, and can be gone on with after the last number."""
        return b""

    def _tell(self, event: Event, told: list[bytes]) -> None:
        match event:
            case TextDelta():
                self._number(self._output.text(event), told)
                self._text(event.text, told)
            case Done() | Failed():
                self._end(event, told)
            case Status(state="restarted"):
                if self._output.items:
                    self._end(TAKEN_BACK, told)
            case Status(state="fallback"):
                self._heading = self._heading.after((event,))
            case _:
                self._number(self._output.add(event), told)

    def _end(self, event: Done | Failed, told: list[bytes]) -> None:
        self._ended = True
        state = ended(event)
        self._number(self._output.close(state.item), told)
        over = response(self._heading, self._options, state, self._output.items)
        self._number([{"type": state.event, "response": over}], told)

    def _text(self, text: str, told: list[bytes]) -> None:
        """Tell a piece of text: nearly every event is one, so it is put into what stands around it."""
        place = self._output.place
        if self._next > self._after:
            told.append(
                b"event: response.output_text.delta\n"
                b'data: {"type":"response.output_text.delta","sequence_number":%d,"item_id":"%b","output_index":%d,'
                b'"content_index":0,"delta":%b,"logprobs":[]}\n\n'
                % (self._next, place["item_id"].encode(), place["output_index"], sse.dumps(text))
            )
        self._next += 1

    def _number(self, events: Sequence[Json], told: list[bytes]) -> None:
        for event in events:
            if self._next > self._after:
                numbered = {"type": event["type"], "sequence_number": self._next} | event
                told.append(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), sse.dumps(numbered)))
            self._next += 1


_BEGINNING = ("response.created", "response.in_progress")
