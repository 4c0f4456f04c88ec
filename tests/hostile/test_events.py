"""Whatever a model says, each format's events are read back as what was written, by readers that are not ours."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.deltas import Done, Event, Failed, Metrics, ReasoningDelta, StopReason, TextDelta, Usage
from service.dialects import anthropic_messages, openai_chat, openai_responses
from service.dialects.dialect import Encoder, Heading
from service.dialects.native.events import NativeEvents
from tests.dialects.answers import START, batches, streams
from tests.examples import examples
from tests.harness import Json

HEADING = Heading("0" * 31 + "1", START.model_id, 1_700_000_000)
WORD = (
    st.text(max_size=8)
    | st.text("\r\n\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\0\x7f\ufeff: \\\"'", min_size=1, max_size=8)
    | st.sampled_from(
        ["\n\ndata: {}\n\n", "data: [DONE]", "event: error\ndata: x", ": comment\n", "id: 7\n", "\U0010ffff"]
    )
)
TEXTS = st.lists(WORD.filter(bool), min_size=1, max_size=6)


class Read(NamedTuple):
    """An event as a reader saw it."""

    name: str
    id: str
    data: str


def by_the_specification(stream: bytes) -> Iterator[Read]:
    """Read as WHATWG HTML, section 9.2.6, says: a browser does it so."""
    name, last, data = "", "", list[str]()
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Read(name or "message", last, "\n".join(data))
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last = value


def by_httpx(stream: bytes) -> Iterator[Read]:
    """Read as Python's clients do, whose idea of a line's end is wider."""
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=stream)
    for event in httpx_sse.EventSource(response).iter_sse():
        yield Read(event.event, event.id, event.data)


class Format(NamedTuple):
    """A format: its encoder, and where the text stands in its events."""

    encoder: Callable[[], Encoder]
    text: Callable[[Json, str], str]


def _native(event: Json, name: str) -> str:
    return str(event.get("text", "")) if name == "message" else ""


def _chat(event: Json, _: str) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event.get("choices", []))


def _responses(event: Json, _: str) -> str:
    return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""


def _messages(event: Json, _: str) -> str:
    return str(event["delta"]["text"]) if event.get("delta", {}).get("type") == "text_delta" else ""


FORMATS = {
    "native": Format(lambda: NativeEvents(HEADING), _native),
    "chat": Format(lambda: openai_chat.ChatEvents(HEADING, openai_chat.ChatOptions(include_usage=True)), _chat),
    "responses": Format(lambda: openai_responses.ResponsesEvents(HEADING), _responses),
    "messages": Format(lambda: anthropic_messages.MessagesEvents(HEADING), _messages),
}
formats = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)


def encoded(encoder: Encoder, groups: list[list[Event]]) -> bytes:
    """Write groups of events, with a heartbeat before and between them."""
    first, stream = 1, encoder.heartbeat
    for group in groups:
        stream += encoder.encode(first, group) + encoder.heartbeat
        first += len(group)
    return stream


def payloads(read: list[Read]) -> list[Any]:
    """The JSON of events; Chat's last word is none."""
    return [json.loads(event.data) for event in read if event.data != "[DONE]"]


@formats
@examples(25)
@given(texts=TEXTS, thoughts=st.lists(WORD.filter(bool), max_size=2), data=st.data())
def test_any_text_comes_through_every_reader(
    form: Format, texts: list[str], thoughts: list[str], data: st.DataObject
) -> None:
    said: list[Event] = [ReasoningDelta(0, text=thought) for thought in thoughts]
    said += [TextDelta(1, text) for text in texts]
    events = [START, *said, Done(StopReason.END_TURN, "end_turn", Usage(1, 2), Metrics())]
    stream = encoded(form.encoder(), data.draw(batches(events)))

    browser, python = list(by_the_specification(stream)), list(by_httpx(stream))
    assert browser == python
    said_again = [form.text(json.loads(event.data), event.name) for event in browser if event.data != "[DONE]"]
    assert "".join(said_again) == "".join(texts)
    assert stream.decode().splitlines() == stream.decode().split("\n")[:-1]  # nobody finds another end of a line in it


@formats
@examples(25)
@given(data=st.data())
def test_any_stream_is_the_same_to_every_reader(form: Format, data: st.DataObject) -> None:
    events = data.draw(streams())
    whole = encoded(form.encoder(), [events])
    cut = encoded(form.encoder(), data.draw(batches(events)))

    read = list(by_the_specification(cut))
    assert read == list(by_httpx(cut))
    assert [event.data for event in read if event.name != "ping"] == [
        event.data for event in by_the_specification(whole) if event.name != "ping"
    ]
    payloads(read)


@examples(20)
@given(data=st.data())
def test_native_events_are_numbered_without_a_gap_whatever_they_say(data: st.DataObject) -> None:
    events = data.draw(streams())
    read = list(by_the_specification(encoded(NativeEvents(HEADING), data.draw(batches(events)))))

    assert [event.id for event in read] == [f"{HEADING.stream_id}-{n}" for n in range(1, len(events) + 1)]


@formats
@examples(20)
@given(sentence=WORD, partial=st.booleans())
def test_any_failure_is_one_last_event(form: Format, sentence: str, partial: bool) -> None:  # noqa: FBT001 - drawn
    said: list[Event] = [TextDelta(0, "So far")] if partial else []
    failed = Failed("model_error", sentence, 502, retryable=True, partial=partial)
    stream = encoded(form.encoder(), [[START, *said, failed]])

    read = list(by_the_specification(stream))
    assert read == list(by_httpx(stream))
    assert any(sentence in told for told in itertools.chain(*map(_strings, payloads(read))))


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from itertools.chain(*map(_strings, value.values()))
        case list():
            yield from itertools.chain(*map(_strings, value))
