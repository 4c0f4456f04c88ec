"""AWS's binary framing, `application/vnd.amazon.eventstream`: bytes to frames and back, without I/O.

A frame is a prelude (total length, header length, CRC of the two), a header block, a payload and a CRC of everything
before it; all integers are big-endian. Frames stand back to back and know nothing of HTTP chunks or reads.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

from msgspec import Struct

from service.errors import UpstreamError

MAX_HEADERS = 131_072  # bytes: AWS's own limits, and botocore's
MAX_PAYLOAD = 25_165_824  # bytes
_LONG_BLOCK = 1_024  # bytes: real blocks have about 90

_PRELUDE = struct.Struct("!III")
_LENGTHS = struct.Struct("!II")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
_PRELUDE_SIZE = _PRELUDE.size
_OVERHEAD = _PRELUDE_SIZE + _CRC.size
_read_prelude, _read_crc = _PRELUDE.unpack_from, _CRC.unpack_from

HeaderValue = bool | int | str | bytes


class Frame(Struct, frozen=True, gc=False):
    """One message: `kind` is its `:message-type`, `name` the type of the event or exception, or the error's code."""

    kind: str
    name: str
    payload: bytes
    headers: Mapping[str, HeaderValue]


class FrameDecoder:
    """Feed it bytes as they come, get frames. Never holds more than one unfinished frame.

    Frames that stand before a mistake in one read are handed out, and `broken` says what follows them: whoever
    feeds the decoder looks there before it waits for more bytes.
    """

    __slots__ = ("_needed", "_rest", "broken")

    def __init__(self) -> None:
        self._rest = bytearray()  # the beginning of a frame
        self._needed = 0  # bytes until it is worth looking at the rest again
        self.broken: UpstreamError | None = None

    def feed(self, received: bytes) -> list[Frame]:
        """Return all frames that these bytes complete.

        Raises:
            UpstreamError: `upstream_corrupt`, where the bytes are no frames from their first one on.
        """
        if self.broken:
            raise self.broken
        if self._rest:
            self._rest += received
            if len(self._rest) < self._needed:
                return []
            received = bytes(self._rest)
            self._rest.clear()
        frames: list[Frame] = []
        try:
            done = self._decode(received, frames)
        except UpstreamError as mistake:
            self.broken = mistake
            if not frames:
                raise
        else:
            if done < len(received):
                self._rest += received[done:]
        return frames

    def finish(self) -> None:
        """Confirm that the body ended between two frames.

        Raises:
            UpstreamError: `upstream_truncated`, where it ended inside one.
        """
        if self.broken:
            raise self.broken
        if self._rest:
            raise UpstreamError("upstream_truncated", "The model's answer broke off in the middle of a frame.")

    def _decode(self, received: bytes, frames: list[Frame]) -> int:
        """Append the whole frames and return where the unfinished one begins."""
        start, end = 0, len(received)
        while end - start >= _PRELUDE_SIZE:
            total, header_length, prelude_crc = _read_prelude(received, start)
            # Before the lengths are believed: HTML in place of frames fails here and not at a gigabyte's allocation.
            if crc32(received[start : start + 8]) != prelude_crc:
                raise _corrupt("the checksum of a frame's lengths is wrong")
            if header_length > MAX_HEADERS or not 0 <= total - header_length - _OVERHEAD <= MAX_PAYLOAD:
                raise _corrupt(_wrong_lengths(total, header_length))
            if end - start < total:
                self._needed = total
                return start
            stop = start + total - 4
            # A slice's copy is cheaper than a view, at the size that frames have.
            if crc32(received[start + 8 : stop], prelude_crc) != _read_crc(received, stop)[0]:
                raise _corrupt("the checksum of a frame is wrong")
            payload = start + 12 + header_length
            # The same few blocks come again and again; a long one is not worth keeping.
            read_block = _known_block if header_length <= _LONG_BLOCK else _parse_block
            kind, name, headers = read_block(received[start + 12 : payload])
            frames.append(Frame(kind, name, received[payload:stop], headers))
            start += total
        self._needed = _PRELUDE_SIZE
        return start


def encode(headers: Mapping[str, str], payload: bytes = b"") -> bytes:
    """Write one frame."""
    return _frame(_write_headers(headers), payload)


def encode_event(event_type: str, payload: bytes) -> bytes:
    """Write an event's frame, its headers in the order that Bedrock sends (recorded, 2023 to 2026)."""
    return _frame(_block(":event-type", event_type, "event"), payload)


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """Write an exception's frame; Bedrock spells the type in lower camel case."""
    return _frame(_block(":exception-type", exception_type, "exception"), payload)


def encode_error(code: str, message: str) -> bytes:
    """Write an error's frame, which has no payload."""
    return encode({":error-code": code, ":error-message": message, ":message-type": "error"})


def _frame(block: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(_OVERHEAD + len(block) + len(payload), len(block))
    head = lengths + _CRC.pack(crc32(lengths)) + block
    return b"".join((head, payload, _CRC.pack(crc32(payload, crc32(head)))))


@lru_cache(maxsize=256)  # a stream has about six of them
def _block(name: str, value: str, kind: str) -> bytes:
    return _write_headers({name: value, ":content-type": "application/json", ":message-type": kind})


def _write_headers(headers: Mapping[str, str]) -> bytes:
    block = bytearray()
    for name, value in headers.items():
        written, text = name.encode(), value.encode()
        block += bytes((len(written),)) + written + b"\x07" + _LENGTH.pack(len(text)) + text
    return bytes(block)


class _Block(NamedTuple):
    kind: str
    name: str
    headers: Mapping[str, HeaderValue]


def _parse_block(block: bytes) -> _Block:
    headers: dict[str, HeaderValue] = {}
    try:
        for name, value in _read_headers(block):
            if name in headers:
                raise _corrupt("a frame names a header twice")
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError) as mistake:
        raise _corrupt("a frame's headers cannot be read") from mistake
    kind = str(headers.get(":message-type", ""))
    named = headers.get(_NAMED_BY.get(kind, ":event-type"), "")
    return _Block(kind, str(named), MappingProxyType(headers))


_known_block = lru_cache(maxsize=256)(_parse_block)

_NAMED_BY = {"exception": ":exception-type", "error": ":error-code"}

# Header types of a fixed size: int8 to int64, and a timestamp (milliseconds since 1970).
_NUMBERS = {kind: struct.Struct(f"!{code}") for kind, code in zip((2, 3, 4, 5, 8), "bhiqq", strict=True)}
_UUID_BYTES = 16


def _read_headers(block: bytes) -> Iterator[tuple[str, HeaderValue]]:
    at = 0
    while at < len(block):
        name, at = _take(block, at + 1, block[at])
        kind, at = block[at], at + 1
        value: HeaderValue
        match kind:
            case 0 | 1:
                value = kind == 0
            case 6:
                value, at = _take(block, at + 2, _LENGTH.unpack_from(block, at)[0])
            case 7:
                text, at = _take(block, at + 2, _LENGTH.unpack_from(block, at)[0])
                value = text.decode()
            case 9:
                value, at = _take(block, at, _UUID_BYTES)
            case _ if layout := _NUMBERS.get(kind):
                value, at = layout.unpack_from(block, at)[0], at + layout.size
            case _:
                raise _corrupt("a frame has a header of an unknown type")
        yield name.decode(), value


def _take(block: bytes, at: int, length: int) -> tuple[bytes, int]:
    taken = block[at : at + length]
    if len(taken) < length:
        raise IndexError("a header reaches beyond its block")
    return taken, at + length


def _wrong_lengths(total: int, header_length: int) -> str:
    if header_length > MAX_HEADERS:
        return "a frame's headers are longer than they may be"
    if total - header_length < _OVERHEAD:
        return "a frame's lengths contradict each other"
    return "a frame is longer than it may be"


def _corrupt(how: str) -> UpstreamError:
    return UpstreamError("upstream_corrupt", f"The model's answer could not be read: {how}.")
