"""How a journal writes a stream down: MessagePack, one entry for each batch of events.

Whatever leaves for a store passes through these four functions and nothing else does, so encryption at rest has one
place to stand.
"""

from collections.abc import Sequence

import msgspec

from service.deltas import Event
from service.streams.record import Record

_encoder = msgspec.msgpack.Encoder()
_events = msgspec.msgpack.Decoder(list[Event])
_record = msgspec.msgpack.Decoder(Record)


class Unwritable(Exception):
    """A value that MessagePack has no form for: half a surrogate pair, a number beyond 64 bits."""


class Unreadable(Exception):
    """What a store gave back was not written by us, or by another version of us."""


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


def _encode(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unwritable("This cannot be written to a journal.") from error
