"""Bytes that come from upstream in place of what should: the decoder stays small, and fails in our own words alone."""

import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest

from service.bedrock.aws_errors import broken_off, refused
from service.bedrock.eventstream import Frame, FrameDecoder, encode_event, encode_exception
from service.bedrock.response import read_json
from service.errors import UpstreamError

TRIES = 1500
SEED = 20_261_124
WIRE = b"".join(encode_event("contentBlockDelta", b'{"delta":{"text":"word %d"}}' % number) for number in range(8))


def flipped(wire: bytearray, chance: random.Random) -> None:
    wire[chance.randrange(len(wire))] ^= 1 << chance.randrange(8)


def shortened(wire: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(wire))
    del wire[at : at + chance.randrange(1, 20)]


def stuffed(wire: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(wire))
    wire[at:at] = chance.randbytes(chance.randrange(1, 20))


def doubled(wire: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(wire))
    wire[at:at] = wire[at : at + chance.randrange(1, 60)]


def lying(wire: bytearray, chance: random.Random) -> None:
    """Another length, as if it were one: of the message, or of its headers."""
    at = chance.choice([0, 4])
    wire[at : at + 4] = chance.choice([0, 15, 16, 2**24, 2**31, 2**32 - 1]).to_bytes(4)


HARMS: tuple[Callable[[bytearray, random.Random], None], ...] = (flipped, shortened, stuffed, doubled, lying)


def harmed(tries: int) -> Iterator[bytes]:
    """Bytes of a sound stream, each time harmed in one or two ways."""
    chance = random.Random(SEED)  # noqa: S311 - to be repeated, not to be safe
    for _ in range(tries):
        wire = bytearray(WIRE)
        for _ in range(chance.randrange(1, 3)):
            chance.choice(HARMS)(wire, chance)
        yield bytes(wire)


def read(wire: bytes, pieces: Iterable[int]) -> list[Frame]:
    decoder, frames, at = FrameDecoder(), list[Frame](), 0
    for size in pieces:
        frames += decoder.feed(wire[at : at + size])
        at += size
    frames += decoder.feed(wire[at:])
    decoder.finish()
    return frames


@pytest.mark.parametrize("tries", [TRIES, pytest.param(100 * TRIES, marks=pytest.mark.soak)])
def test_harmed_frames_are_read_as_they_were_or_refused_and_nothing_else(tries: int) -> None:
    whole = read(WIRE, ())
    chance, refusals = random.Random(SEED), list[str]()  # noqa: S311 - as above
    for wire in harmed(tries):
        try:
            frames = read(wire, [chance.randrange(200) for _ in range(chance.randrange(6))])
        except UpstreamError as error:
            refusals.append(error.code.name)
        else:
            assert all(frame in whole for frame in frames)  # two sums over each: a harmed frame is none

    assert len(refusals) > tries / 2
    assert set(refusals) == {"upstream_corrupt", "upstream_truncated"}


def test_what_a_stream_says_of_its_length_costs_no_memory() -> None:
    for size in (2**24, 2**31, 2**32 - 1):
        claim = size.to_bytes(4) + bytes(8) + b"x" * 1000

        assert peak_of(partial(_try, claim)) < 200_000


@pytest.mark.parametrize("size", [100_000, 1_000_000, 4_000_000])
def test_a_frame_costs_a_few_times_its_size_however_it_comes(size: int) -> None:
    wire = encode_event("chunk", b"x" * size)
    pieces = [10_000] * (size // 10_000)

    assert peak_of(lambda: read(wire, pieces)) < 5 * size


def test_many_small_frames_are_kept_no_longer_than_they_are_wanted() -> None:
    decoder = FrameDecoder()

    assert peak_of(lambda: [len(decoder.feed(WIRE)) for _ in range(2_000)]) < 1_000_000


NOT_JSON = [
    b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000,
    b'{"message":' + b"[" * 5_000, b"1" * 10_000, b'{"message":7}', b'{"__type":[]}', b"<html>" * 1_000,
    b'{"originalStatusCode":"x","message":{}}',
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_bedrock_says_of_an_error_may_be_anything(body: bytes) -> None:
    for status in (200, 400, 418, 500, 599):
        assert isinstance(refused(status, {"retry-after": body[:20].decode("latin-1")}, body), UpstreamError)
    (frame,) = read(encode_exception("modelStreamErrorException", body), ())
    assert isinstance(broken_off(frame), UpstreamError)


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_a_payload_may_be_anything(body: bytes) -> None:
    try:
        read_json(body)
    except UpstreamError as error:
        code = error.code.name
    else:
        code = "upstream_corrupt"
    assert code == "upstream_corrupt"


def _try(wire: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(wire, ())


def peak_of(call: Callable[[], object]) -> int:
    """The most memory that a call holds at once, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
