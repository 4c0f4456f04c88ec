"""A finished stream as one Chat Completions answer: what the SDKs make of the chunks, told at once."""

from collections.abc import Iterable
from typing import Any

from service.deltas import Done, Event, Failed, Status, StopReason, Usage
from service.dialects.dialect import Heading
from service.dialects.openai_chat.answer import FINISH_REASONS, ChoiceFolder, usage
from service.dialects.openai_chat.events import envelope
from service.dialects.openai_chat.request import ChatOptions

Json = dict[str, Any]


def whole(heading: Heading, options: ChatOptions | None, events: Iterable[Event]) -> Json:  # noqa: ARG001 - as in every dialect
    """Tell the answer. A failed one has been refused by then; see `error`."""
    answer, message, end = ChoiceFolder(), _Message(), None
    events = list(events)
    for event in events:
        match event:
            case Status(state="restarted"):
                answer, message = ChoiceFolder(), _Message()
            case Done() | Failed():
                end = event
            case _:
                message.add(answer.add(event))
    message.add(answer.close())
    stop, spent = (end.stop_reason, end.usage) if isinstance(end, Done) else (StopReason.OTHER, Usage())
    choice = {"index": 0, "message": message.json, "logprobs": None, "finish_reason": FINISH_REASONS[stop]}
    return envelope(heading.after(events), "chat.completion") | {"choices": [choice], "usage": usage(spent)}


class _Message:
    """The pieces of `delta`, put together."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thought: list[str] = []
        self._lists: dict[str, list[Json]] = {}

    @property
    def json(self) -> Json:
        thought = {"reasoning_content": "".join(self._thought)} if self._thought else {}
        content = "".join(self._text) if self._text else None
        return {"role": "assistant", "content": content, "refusal": None} | thought | self._lists

    def add(self, pieces: Iterable[Json]) -> None:
        for piece in pieces:
            match piece:
                case {"content": str(text)}:
                    self._text.append(text)
                case {"reasoning_content": str(text)}:
                    self._thought.append(text)
                case {"tool_calls": [entry]}:
                    self._call(entry)
                case {"reasoning_details": [entry]}:
                    self._detail(entry)
                case {"annotations": list(cited)}:
                    self._lists["annotations"] = cited

    def _call(self, entry: Json) -> None:
        calls = self._lists.setdefault("tool_calls", [])
        if "id" in entry:
            calls.append({name: value for name, value in entry.items() if name != "index"})
        else:
            calls[entry["index"]]["function"]["arguments"] += entry["function"]["arguments"]

    def _detail(self, entry: Json) -> None:
        details = self._lists.setdefault("reasoning_details", [])
        if entry["index"] == len(details):
            details.append(entry)
        else:
            details[entry["index"]]["signature"] += entry["signature"]
