"""What breaks whom (the traps of each client's reader), held against the bytes of the three formats."""

import json
from collections.abc import Callable
from itertools import chain

import httpx
import pytest

from service.deltas import Event, TextDelta
from service.dialects import anthropic_messages, openai_chat, openai_responses
from service.dialects.dialect import Encoder, Heading
from tests.dialects.answers import ANSWERS, HEADING, START, done
from tests.dialects.served import Served

OPENAI: dict[str, Callable[[Heading], Encoder]] = {
    "chat": openai_chat.ChatEvents,
    "responses": openai_responses.ResponsesEvents,
}
ALL = OPENAI | {"messages": anthropic_messages.MessagesEvents}


def lines(name: str, events: list[Event]) -> list[bytes]:
    return list(chain.from_iterable(block.split(b"\n") for block in blocks(name, events)))


def blocks(name: str, events: list[Event]) -> list[bytes]:
    *made, rest = ALL[name](HEADING).encode(1, events).split(b"\n\n")
    assert rest == b""
    return made


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("name", OPENAI)
def test_openais_formats_have_no_ids_and_no_retry(name: str, events: list[Event]) -> None:
    assert {line.partition(b":")[0] for line in lines(name, events)} <= {b"event", b"data"}


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("name", ALL)
def test_every_block_has_one_line_of_data(name: str, events: list[Event]) -> None:
    for block in blocks(name, events):
        assert sum(line.startswith(b"data: ") for line in block.split(b"\n")) == 1


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("name", ["responses", "messages"])
def test_an_event_is_named_by_its_type(name: str, events: list[Event]) -> None:
    for block in blocks(name, events):
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n"))
        assert json.loads(fields[b"data"])["type"] == fields[b"event"].decode()


@pytest.mark.parametrize("name", ALL)
def test_a_reader_that_splits_lines_in_its_own_way_reads_whole_events(served: Served, name: str) -> None:
    text = "a\u2028b\u2029c\u0085d\x0b\x0ce\r\n"
    stream = ALL[name](HEADING).encode(1, [START, TextDelta(0, text), done()])
    with httpx.stream("GET", served.stream(stream)) as response:
        read = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
    assert any(_says(event, text) for event in read)


def _says(value: object, text: str) -> bool:
    match value:
        case dict():
            return any(_says(member, text) for member in value.values())
        case list():
            return any(_says(member, text) for member in value)
    return value == text


def test_chat_ends_in_done() -> None:
    assert blocks("chat", ANSWERS["a text in pieces"])[-1] == b"data: [DONE]"


@pytest.mark.parametrize("name", ALL)
def test_a_batch_is_told_as_its_events_are(name: str) -> None:
    events = ANSWERS["reasoning with its signature, a text and a call"]
    one = ALL[name](HEADING)
    each = ALL[name](HEADING)
    assert one.encode(1, events) == b"".join(each.encode(n, [event]) for n, event in enumerate(events, 1))


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_a_heartbeat_is_a_comment_without_a_blank_line(name: str) -> None:
    assert ALL[name](HEADING).heartbeat == b": keep-alive\n"


def test_anthropics_heartbeat_is_its_ping() -> None:
    assert anthropic_messages.MessagesEvents.heartbeat == b'event: ping\ndata: {"type":"ping"}\n\n'
