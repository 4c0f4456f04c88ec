"""How a journal writes a stream down: MessagePack, one entry for each batch of events.

Whatever leaves for a store passes through a `Codec` and nothing else does, so encryption at rest has one place to
stand: a batch is sealed for its stream and for the number of its first event.
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
    "ARTESIAN_ENCRYPTION_KEY: the journal holds streams that are encrypted with another key; put that one behind "
    "yours, separated by a comma, or wait until they are gone (ARTESIAN_STREAM_TTL)"
)

_encoder = msgspec.msgpack.Encoder()
_events = msgspec.msgpack.Decoder(list[Event])
_record = msgspec.msgpack.Decoder(Record)
_request = msgspec.msgpack.Decoder(Request)


class Unwritable(Exception):
    """A value that MessagePack has no form for: half a surrogate pair, a number beyond 64 bits."""


class Unreadable(Exception):
    """What a store gave back was not written by us, or by another version of us.

    Or it is encrypted and stays so: `refusal` says why.
    """

    def __init__(self, message: str, refusal: Unopened | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


class Codec:
    """Writes and reads the streams of one journal, sealed if a seal is given."""

    def __init__(self, seal: Seal | None = None) -> None:
        self._closes = seal is not None
        self._seal = seal or NoSeal()

    def write_record(self, record: Record) -> bytes:
        """Write what is kept of a stream to its end and beyond: all but the request.

        Raises:
            Unwritable: it cannot be.
        """
        return self._seal.close(encode_record(record.without_request()), _scope(record.stream_id), "record")

    async def write_request(self, stream_id: str, request: Request, size_bytes: int) -> bytes:
        """Write the request of a stream, which is kept while the stream runs; a large one in a thread.

        Raises:
            Unwritable: it cannot be.
        """

        def write() -> bytes:
            return self._seal.close(_encode(request), _scope(stream_id), "request")

        return await asyncio.to_thread(write) if size_bytes > LARGE_BYTES else write()

    async def read_request(self, stream_id: str, stored: bytes) -> Request:
        """Read the request of a running stream; a large one in a thread.

        Raises:
            Unreadable: it is none.
        """

        def read() -> Request:
            return decode_request(self._open(stored, stream_id, "request"))

        return await asyncio.to_thread(read) if len(stored) > LARGE_BYTES else read()

    def read_record(self, stream_id: str, stored: bytes) -> Record:
        """Read what a stream was begun with.

        Raises:
            Unreadable: it is no record.
        """
        return decode_record(self._open(stored, stream_id, "record"))

    def check_key(self, kept: tuple[str, bytes] | None) -> None:
        """See from some stream's id and record whether what is kept can be read.

        Raises:
            SettingsError: it is encrypted with a key that is not ours.
        """
        try:
            if kept:
                self.read_record(*kept)
        except Unreadable as error:
            if error.refusal and not isinstance(error.refusal, Changed):  # a damaged record stops no start
                raise SettingsError([_OTHER_KEY]) from None

    def write_events(self, stream_id: str, first: int, events: Sequence[Event]) -> bytes:
        """Write a batch; `first` is the number of its first event.

        Raises:
            Unwritable: it cannot be.
        """
        content = encode_events(events)
        return self._seal.close(content, _scope(stream_id), str(first)) if self._closes else content

    def read_events(self, stream_id: str, first: int, stored: bytes) -> list[Event]:
        """Read a batch.

        Raises:
            Unreadable: it is none.
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
    """Write a batch.

    Raises:
        Unwritable: it cannot be.
    """
    return _encode(events)


def decode_events(stored: bytes) -> list[Event]:
    """Read a batch.

    Raises:
        Unreadable: it is none.
    """
    try:
        return _events.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A batch of events cannot be read.") from error


def encode_record(record: Record) -> bytes:
    """Write what a stream was begun with.

    Raises:
        Unwritable: it cannot be.
    """
    return _encode(record)


def decode_record(stored: bytes) -> Record:
    """Read what a stream was begun with.

    Raises:
        Unreadable: it is no record.
    """
    try:
        return _record.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A stream's record cannot be read.") from error


def decode_request(stored: bytes) -> Request:
    """Read a request.

    Raises:
        Unreadable: it is none.
    """
    try:
        return _request.decode(stored)
    except msgspec.MsgspecError as error:
        raise Unreadable("A stream's request cannot be read.") from error


def _encode(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unwritable("This cannot be written to a journal.") from error
