"""The framing: bytes to frames and back, with the SDK's own decoder as the judge."""

import struct
from collections.abc import Callable, Iterable
from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from service.bedrock.eventstream import (
    MAX_HEADERS,
    MAX_PAYLOAD,
    Frame,
    FrameDecoder,
    encode,
    encode_error,
    encode_event,
    encode_exception,
)
from service.errors import UpstreamError

# Decoded by botocore 1.40.61, 1.43.117 and 1.44.5 alike.
WORKED = {
    "a text delta of ConverseStream": (
        (
            "0000009e00000057fe1b824f0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d"
            "747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74"
            "426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d2c2270223a22616263227d9343f010"
        ),
        ("event", "contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"abc"}'),
        encode_event,
    ),
    "a chunk of InvokeModelWithResponseStream": (
        (
            "000000840000004bc04a51230b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d747970650700106170706c69"
            "636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b226279746573223a2265794a306558426c496a6f"
            "6963476c755a794a39222c2270223a226162227db16396a5"
        ),
        ("event", "chunk", b'{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"ab"}'),
        encode_event,
    ),
    "an exception": (
        (
            "00000090000000618e91a9b70f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f"
            "6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700096578636570746"
            "96f6e7b226d657373616765223a22546f6f206d616e79207265717565737473227de67f8005"
        ),
        ("exception", "throttlingException", b'{"message":"Too many requests"}'),
        encode_exception,
    ),
}


@pytest.mark.parametrize(("wire", "said", "encoder"), WORKED.values(), ids=WORKED)
def test_a_worked_example_reads_and_writes_as_aws_does(
    wire: str, said: tuple[str, str, bytes], encoder: Callable[[str, bytes], bytes]
) -> None:
    kind, name, payload = said
    [frame] = whole(bytes.fromhex(wire))

    assert (frame.kind, frame.name, frame.payload) == said
    assert frame.headers == {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    assert encoder(name, payload) == bytes.fromhex(wire)


def test_an_error_frame_has_its_code_for_a_name_and_its_sentence_in_a_header() -> None:
    [frame] = whole(encode_error("InternalFailure", "An internal server error occurred"))

    assert (frame.kind, frame.name, frame.payload) == ("error", "InternalFailure", b"")
    assert frame.headers[":error-message"] == "An internal server error occurred"


def header(name: str, kind: int, value: bytes) -> bytes:
    written = name.encode()
    return bytes([len(written)]) + written + bytes([kind]) + value


def framed(block: bytes, payload: bytes = b"") -> bytes:
    lengths = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    head = lengths + struct.pack("!I", crc32(lengths)) + block + payload
    return head + struct.pack("!I", crc32(head))


def test_headers_of_every_type_are_read() -> None:
    block = b"".join(
        [
            header("yes", 0, b""),
            header("no", 1, b""),
            header("int8", 2, b"\xff"),
            header("int16", 3, b"\xff\xfe"),
            header("int32", 4, b"\xff\xff\xff\xfd"),
            header("int64", 5, b"\xff" * 7 + b"\xfc"),
            header("bytes", 6, b"\x00\x02\x00\xff"),
            header("string", 7, b"\x00\x02" + "\u00fc".encode()),
            header("timestamp", 8, struct.pack("!q", 1_700_000_000_000)),
            header("uuid", 9, bytes(range(16))),
        ]
    )
    [frame] = whole(framed(block))

    assert frame.headers == {
        "yes": True,
        "no": False,
        "int8": -1,
        "int16": -2,
        "int32": -3,
        "int64": -4,
        "bytes": b"\x00\xff",
        "string": "\u00fc",
        "timestamp": 1_700_000_000_000,
        "uuid": bytes(range(16)),
    }
    assert theirs(framed(block)) == [(dict(frame.headers), b"")]


def test_the_smallest_frame_says_nothing() -> None:
    [frame] = whole(framed(b""))

    assert (frame.kind, frame.name, frame.payload, dict(frame.headers)) == ("", "", b"", {})


GOOD = encode_event("messageStop", b'{"stopReason":"end_turn"}')
EVENT = header(":event-type", 7, b"\x00\x01x")


def lengths(total: int, headers: int) -> bytes:
    prelude = struct.pack("!II", total, headers)
    return prelude + struct.pack("!I", crc32(prelude))


def flipped(wire: bytes, at: int) -> bytes:
    changed = bytearray(wire)
    changed[at] ^= 1
    return bytes(changed)


CORRUPT = {
    "a wrong checksum of the lengths": flipped(GOOD, 9),
    "a length that says more than was signed": flipped(GOOD, 3),
    "a header length that says more than was signed": flipped(GOOD, 7),
    "a wrong checksum of the message": flipped(GOOD, len(GOOD) - 1),
    "a changed payload": flipped(GOOD, len(GOOD) - 8),
    "a changed header": flipped(GOOD, 20),
    "a total shorter than the headers": lengths(40, 30) + bytes(40),
    "a total shorter than a frame": lengths(12, 0) + bytes(40),
    "a total of nothing": lengths(0, 0) + bytes(40),
    "headers over 128 KiB": lengths(MAX_HEADERS + 17, MAX_HEADERS + 1),
    "a payload over 24 MiB": lengths(MAX_PAYLOAD + 17, 0),
    "a total of four gigabytes": lengths(0xFFFFFFFF, 0),
    "a total that ends before the frame does": framed(EVENT, b"{}").replace(
        lengths(16 + len(EVENT) + 2, len(EVENT)), lengths(15 + len(EVENT) + 2, len(EVENT))
    ),
    "HTML in place of frames": b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
    "JSON in place of frames": b'{"message":"The security token included in the request is expired"}',
    "a header named twice": framed(EVENT + EVENT),
    "a header of an unknown type": framed(header("x", 10, b"")),
    "a header whose name reaches beyond the block": framed(b"\x09abc"),
    "a header whose string reaches beyond the block": framed(header("x", 7, b"\x00\x05abc")),
    "a header whose length is cut": framed(header("x", 7, b"\x00")),
    "a header whose number is cut": framed(header("x", 5, b"\x00\x00")),
    "a header without a type": framed(b"\x01x"),
    "a header that is no UTF-8": framed(header("x", 7, b"\x00\x01\xff")),
    "a header's name that is no UTF-8": framed(b"\x01\xff\x00"),
}


@pytest.mark.parametrize("wire", CORRUPT.values(), ids=CORRUPT)
def test_bytes_that_are_no_frame_are_corrupt_and_stay_so(wire: bytes) -> None:
    decoder = FrameDecoder()

    for again in (wire, b"", GOOD):
        with pytest.raises(UpstreamError) as raised:
            decoder.feed(again)
        assert raised.value.code.name == "upstream_corrupt"
    with pytest.raises(UpstreamError) as raised:
        decoder.finish()
    assert raised.value.code.name == "upstream_corrupt"


@pytest.mark.parametrize("wire", CORRUPT.values(), ids=CORRUPT)
def test_frames_before_a_corrupt_one_are_handed_out_first(wire: bytes) -> None:
    decoder = FrameDecoder()

    assert [frame.name for frame in decoder.feed(GOOD + GOOD + wire)] == ["messageStop", "messageStop"]
    assert decoder.broken
    with pytest.raises(UpstreamError, match="could not be read"):
        decoder.feed(b"")


def test_a_length_that_lies_is_found_before_anything_is_kept_for_it() -> None:
    decoder = FrameDecoder()

    with pytest.raises(UpstreamError, match="longer than it may be"):
        decoder.feed(lengths(0xFFFFFFFF, 0))


def test_a_body_that_ends_inside_a_frame_is_truncated() -> None:
    for end in range(1, len(GOOD)):
        decoder = FrameDecoder()
        assert decoder.feed(GOOD[:end]) == []
        with pytest.raises(UpstreamError) as raised:
            decoder.finish()
        assert raised.value.code.name == "upstream_truncated"


def test_a_body_that_ends_between_frames_is_whole() -> None:
    decoder = FrameDecoder()
    decoder.feed(GOOD)
    decoder.finish()


def test_the_largest_frame_is_read_in_small_reads() -> None:
    payload = bytes(MAX_PAYLOAD)
    wire = encode_event("chunk", payload) + GOOD
    decoder = FrameDecoder()

    frames = [frame for at in range(0, len(wire), 65_536) for frame in decoder.feed(wire[at : at + 65_536])]

    assert [frame.name for frame in frames] == ["chunk", "messageStop"]
    assert frames[0].payload == payload


def test_no_more_than_one_unfinished_frame_is_kept() -> None:
    decoder = FrameDecoder()

    for _ in range(200):
        decoder.feed(GOOD[:-3])
        assert len(decoder._rest) < len(GOOD)  # noqa: SLF001 -- the bound is about what is inside
        decoder.feed(GOOD[-3:] + GOOD)
        assert len(decoder._rest) == 0  # noqa: SLF001
    decoder.finish()


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
frames_written = st.lists(
    st.builds(encode, st.dictionaries(names, texts, max_size=5), st.binary(max_size=300)), max_size=8
).map(b"".join)
bedrocks = st.lists(
    st.builds(
        lambda write, name, payload: write(name, payload),
        st.sampled_from([encode_event, encode_exception]),
        st.sampled_from(["chunk", "messageStart", "contentBlockDelta", "throttlingException"]),
        st.binary(max_size=100),
    ),
    max_size=5,
).map(b"".join)


@given(wire=frames_written | bedrocks, cuts=st.lists(st.integers(0, 4000), max_size=20))
def test_any_split_gives_the_frames_that_the_sdk_reads(wire: bytes, cuts: list[int]) -> None:
    assert [(dict(frame.headers), frame.payload) for frame in split(wire, cuts)] == theirs(wire)


@given(wire=bedrocks)
def test_every_byte_alone_gives_the_frames_that_the_sdk_reads(wire: bytes) -> None:
    assert [(dict(frame.headers), frame.payload) for frame in split(wire, range(len(wire)))] == theirs(wire)


@given(wire=bedrocks, at=st.integers(0, 10_000), bit=st.integers(0, 7), cuts=st.lists(st.integers(0, 2000)))
def test_one_flipped_bit_never_goes_unnoticed(wire: bytes, at: int, bit: int, cuts: list[int]) -> None:
    if not wire:
        return
    changed = bytearray(wire)
    changed[at % len(wire)] ^= 1 << bit

    with pytest.raises(UpstreamError) as raised:
        split(bytes(changed), cuts)
    assert raised.value.code.name in {"upstream_corrupt", "upstream_truncated"}


@given(noise=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_noise_raises_nothing_but_our_own_error(noise: bytes, cuts: list[int]) -> None:
    if noise:
        with pytest.raises(UpstreamError):
            split(noise, cuts)


def whole(wire: bytes) -> list[Frame]:
    return split(wire, ())


def split(wire: bytes, cuts: Iterable[int]) -> list[Frame]:
    """Decode `wire` in as many reads as the cuts make."""
    decoder = FrameDecoder()
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    frames = [frame for one, other in pairwise(edges) for frame in decoder.feed(wire[one:other])]
    decoder.finish()
    return frames


def theirs(wire: bytes) -> list[tuple[dict[str, object], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(wire)
    return [(message.headers, message.payload) for message in buffer]
