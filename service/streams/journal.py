"""What keeps streams: the protocol that memory, SQLite and Valkey implement, and that one suite of tests holds them to.

A journal gives a stream its log, keeps the log's events safe before any reader sees them, and finds a stream again by
its id. `docs/resuming.md` says what follows from that for readers.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from service.deltas import Event
from service.streams.log import StreamLog
from service.streams.record import Record, State


class Key(NamedTuple):
    """An `Idempotency-Key` of one caller. `fingerprint` tells one body from another."""

    caller: str
    key: str
    fingerprint: str


class Journal(Protocol):
    """Where streams live."""

    name: str

    @property
    def available(self) -> bool:
        """Whether what is appended is kept just now."""

    async def begin(self, record: Record, key: Key | None = None) -> StreamLog:
        """Begin a stream, bound to `key`; or return the one that is bound to it already.

        Raises:
            InvalidRequest: the key is bound to another body.
            ServiceError: `gone`, the key's stream is no longer kept.
        """

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Give events their numbers, keep them safe and then show them, in that order. Never waits."""

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream's log, followed live where another process produces it."""

    def unbind(self, key: Key) -> None:
        """Free a key whose generation was never admitted."""

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream at once."""
