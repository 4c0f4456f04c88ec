"""The stored form of a stream: MessagePack, one entry for each batch of events.

All bytes for a store pass through a `Codec`, so encryption at rest happens here only: a batch is sealed for its stream
and for the number of its first event.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from service.deltas import Event
from service.encryption import Changed, NoSeal, Seal, Unopened
from service.generation import LARGE_BYTES, Request
from service.settings import SettingsError
from service.streams.record import Record

_OTHER_KEY = (
    "ARTESIAN_ENCRYPTION_KEY: the journal has streams that are encrypted with another key; append that key to "
    "yours, separated by a comma, or wait until they expire (ARTESIAN_STREAM_TTL)"
)

_encoder = msgspec.msgpack.Encoder()
_events = msgspec.msgpack.Decoder(list[Event])
_record = msgspec.msgpack.Decoder(Record)
_request = msgspec.msgpack.Decoder(Request)


class Unwritable(Exception):
    """The value cannot be encoded as MessagePack: half a surrogate pair, a number beyond 64 bits."""


class Unreadable(Exception):
    """Stored bytes cannot be decoded: another program or another version wrote them.

    `refusal` is set if they cannot be decrypted, and says why.
    """

    def __init__(self, message: str, refusal: Unopened | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


class Codec:
    """Encodes and decodes the streams of one journal, encrypted if a seal is given."""

    def __init__(self, seal: Seal | None = None) -> None:
        self._closes = seal is not None
        self._seal = seal or NoSeal()

    def write_record(self, record: Record) -> bytes:
        """Encode a record without its request; it is stored until the stream expires.

        Raises:
            Unwritable: it cannot be encoded.
        """
        return self._seal.close(encode_record(record.without_request()), _scope(record.stream_id), "record")

    async def write_request(self, stream_id: str, request: Request, size_bytes: int) -> bytes:
        """Encode the request of a stream, which is stored while the stream runs; a large one in a thread.

        Raises:
            Unwritable: it cannot be encoded.
        """

        def write() -> bytes:
            return self._seal.close(_encode(request), _scope(stream_id), "request")

        return await asyncio.to_thread(write) if size_bytes > LARGE_BYTES else write()

    async def read_request(self, stream_id: str, stored: bytes) -> Request:
        """Decode the request of a running stream; a large one in a thread.

        Raises:
            Unreadable: it cannot be decoded.
        """

        def read() -> Request:
            return decode_request(self._open(stored, stream_id, "request"))

        return await asyncio.to_thread(read) if len(stored) > LARGE_BYTES else read()

    def read_record(self, stream_id: str, stored: bytes) -> Record:
        """Decode a record.

        Raises:
            Unreadable: it cannot be decoded.
        """
        return decode_record(self._open(stored, stream_id, "record"))

    def check_key(self, stored: tuple[str, bytes] | None) -> None:
        """Check with one stream's id and record that stored streams can be read.

        Raises:
            SettingsError: they are encrypted with another key.
        """
        try:
            if stored:
                self.read_record(*stored)
        except Unreadable as error:
            if error.refusal and not isinstance(error.refusal, Changed):  # a damaged record does not prevent the start
                raise SettingsError([_OTHER_KEY]) from None

    def write_events(self, stream_id: str, first: int, events: Sequence[Event]) -> bytes:
        """Encode a batch; `first` is the number of its first event.

        Raises:
            Unwritable: it cannot be encoded.
        """
        content = encode_events(events)
        return self._seal.close(content, _scope(stream_id), str(first)) if self._closes else content

    def read_events(self, stream_id: str, first: int, stored: bytes) -> list[Event]:
        """Decode a batch.

        Raises:
            Unreadable: it cannot be decoded.
        """
        return decode_events(self._open(stored, stream_id, str(first)))

    def _open(self, stored: bytes, stream_id: str, place: str) -> bytes:
        try:
            return self._seal.open(stored, _scope(stream_id), place)
        except Unopened as refusal:
            raise Unreadable(refusal.message, refusal) from None


def _scope(stream_id: str) -> str:
    return f"stream/{stream_id}"


def encode_events(events: Sequence[Event]) -> bytes:
    """Encode a batch.

    Raises:
        Unwritable: it cannot be encoded.
    """
    return _encode(events)


def decode_events(stored: bytes) -> list[Event]:
    """Decode a batch.

    Raises:
        Unreadable: it cannot be decoded.
    """
    try:
        return _events.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A batch of events cannot be read.") from error


def encode_record(record: Record) -> bytes:
    """Encode a record.

    Raises:
        Unwritable: it cannot be encoded.
    """
    return _encode(record)


def decode_record(stored: bytes) -> Record:
    """Decode a record.

    Raises:
        Unreadable: it cannot be decoded.
    """
    try:
        return _record.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A stream's record cannot be read.") from error


def decode_request(stored: bytes) -> Request:
    """Decode a request.

    Raises:
        Unreadable: it cannot be decoded.
    """
    try:
        return _request.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A stream's request cannot be read.") from error


def _encode(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unwritable("The value cannot be encoded for the journal.") from error
