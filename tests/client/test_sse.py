"""The client's reader of Server-Sent Events, without a socket."""

import pytest

from artesian.sse import Reader, Sent, TooLong

SAYS = {
    "an event": (b"data: x\n\n", [Sent("message", "x", "")]),
    "a name and an id": (b"id: 7\nevent: start\ndata: x\n\n", [Sent("start", "x", "7")]),
    "lines that end in CRLF": (b"id: 7\r\ndata: x\r\n\r\n", [Sent("message", "x", "7")]),
    "lines that end in CR": (b"id: 7\rdata: x\r\r", [Sent("message", "x", "7")]),
    "several lines of data": (b"data: x\ndata: y\n\n", [Sent("message", "x\ny", "")]),
    "no space after the colon": (b"data:x\n\n", [Sent("message", "x", "")]),
    "a comment inside an event": (b"id: 1\n: keep-alive\ndata: x\n\n", [Sent("message", "x", "1")]),
    "a comment with a blank line of its own": (b": ping\n\ndata: x\n\n", [Sent("message", "x", "")]),
    "line separators of other parsers": (
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(),
        [Sent("message", "a\u2028b\u2029c\u0085d\x0be\x0cf", "")],
    ),
    "a byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [Sent("message", "x", "")]),
    "an event without its blank line": (b"data: x\n", []),
    "an unknown field": (b"colour: red\ndata: x\n\n", [Sent("message", "x", "")]),
    "an id belongs to its event only": (
        b"id: 1\ndata: x\n\ndata: y\n\n",
        [Sent("message", "x", "1"), Sent("message", "y", "")],
    ),
    "characters of two to four bytes": ("data: é水🚀\n\n".encode(), [Sent("message", "é水🚀", "")]),
}


@pytest.mark.parametrize(("wire", "events"), SAYS.values(), ids=SAYS)
def test_events_are_parsed(wire: bytes, events: list[Sent]) -> None:
    assert Reader().feed(wire) == events


@pytest.mark.parametrize(("wire", "events"), SAYS.values(), ids=SAYS)
def test_events_are_the_same_split_at_any_byte(wire: bytes, events: list[Sent]) -> None:
    for cut in range(len(wire) + 1):
        reader = Reader()
        assert reader.feed(wire[:cut]) + reader.feed(b"") + reader.feed(wire[cut:]) == events, cut


@pytest.mark.parametrize(("wire", "events"), SAYS.values(), ids=SAYS)
def test_events_are_the_same_byte_by_byte(wire: bytes, events: list[Sent]) -> None:
    reader = Reader()

    assert [event for byte in wire for event in reader.feed(bytes([byte]))] == events


def test_retry_is_in_seconds_and_only_a_number() -> None:
    reader = Reader()

    reader.feed(b"retry: soon\nretry: 1500\nretry: -1\n")

    assert reader.retry_s == 1.5


def test_an_event_beyond_the_limit_raises() -> None:
    for endless in (b"data: " + b"x" * 100, b"data: x\n" * 20):
        with pytest.raises(TooLong):
            Reader(longest_bytes=99).feed(endless)
    Reader(longest_bytes=99).feed(b"data: " + b"x" * 90 + b"\n\n" + b"data: " + b"x" * 90)
