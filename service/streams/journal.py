"""The protocol of a journal, which memory, SQLite and Valkey implement and one test suite verifies.

A journal creates a stream's log, stores the log's events before any reader sees them, and finds a stream by its id. In
a shared journal another process can continue a stream: the producer holds a lease, and every append carries the lease's
epoch, so that a producer that was replaced cannot append.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from service.deltas import Event
from service.streams.log import StreamLog
from service.streams.record import Record, State


class IdempotencyKey(NamedTuple):
    """An `Idempotency-Key` of one caller. `fingerprint` identifies the body; `of` is the key's name on the wire."""

    caller: str
    key: str
    fingerprint: str
    of: str = "Idempotency-Key"


class Owner(Protocol):
    """The engine, as a journal knows it: it produces this process's streams. None of these methods may block."""

    def cancel_requested(self, stream_id: str) -> None:
        """A client cancels a stream that this process produces. Repeated until the stream has ended."""

    def replaced(self, log: StreamLog) -> None:
        """Another process has taken the stream over: its producer here must stop.

        The new producer fills the log from now on; what is appended to it here is dropped.
        """

    def abandoned(self, stream_id: str) -> None:
        """A stream's producer released it or let its lease expire: it may be taken over. Repeated until it is."""


class NoOwner:
    """Ignores the journal's notifications while no engine is attached."""

    def cancel_requested(self, stream_id: str) -> None:
        """Nothing is produced yet."""

    def replaced(self, log: StreamLog) -> None:
        """Nothing is produced yet."""

    def abandoned(self, stream_id: str) -> None:
        """No engine can take it over; the next sweep reports it again."""


class JournalListener(Protocol):
    """Receives the journal's measurements. It must be cheap, not block and not fail."""

    def committed(self, seconds: float) -> None:
        """A group of batches is stored; `seconds` is how long that took."""

    def evicted(self) -> None:
        """A finished stream was evicted before its time to live because memory was short."""


class Journal(Protocol):
    """Where streams are stored."""

    name: str
    shared: bool
    """Whether other processes can read these streams and continue them."""

    @property
    def available(self) -> bool:
        """Whether appended events are being stored."""

    @property
    def size(self) -> int:
        """The estimated bytes of the logs in this process's memory."""

    def attach(self, owner: Owner) -> None:
        """Set the owner that is notified."""

    def listen(self, listener: JournalListener) -> None:
        """Set the listener that receives measurements."""

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Create a stream and bind it to `key`; or return the stream that the key is bound to.

        Raises:
            InvalidRequest: the key is bound to another body.
            ServiceError: `gone`: the key's stream has expired.
        """

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to; None if it is free or the store is unavailable.

        Raises as `begin`.
        """

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Number events, store them and then publish them. Never waits.

        If they cannot be stored, the stream continues: a `status` event announces it as not resumable, and events are
        published from memory.
        """

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream's log; a log that another process produces is followed live.

        A log without readers is followed only briefly: read it at once, or find it again.

        Raises:
            ServiceError: `overloaded`: the stream is not in memory and the store is unavailable.
        """

    async def take_over(self, stream_id: str) -> StreamLog | None:
        """Take the lease of an abandoned stream; None if another process was faster or the stream has ended.

        The log has all events that were ever published, possibly none, not even the start.
        """

    async def release(self, log: StreamLog) -> None:
        """Give up a lease once all appended events are stored, so that another process takes over at once.

        The new producer fills the log from then on.
        """

    async def request_cancel(self, stream_id: str) -> None:
        """Cancel a stream, whichever process produces it.

        Raises:
            ServiceError: `overloaded`: the store is unavailable.
        """

    async def is_read_elsewhere(self, log: StreamLog) -> bool:
        """Whether readers of other processes follow a stream produced here; True if the store is unavailable."""

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""

    async def unstored(self) -> Collection[str]:
        """Return the ids of finished streams in the store whose answers are not noted as stored; none during an outage.

        Other processes may be about to store them.
        """

    async def retain(self, log: StreamLog) -> bool:
        """Keep a finished stream in memory until its answer is stored. False: there is no memory for it."""

    async def stored(self, stream_id: str) -> None:
        """Note that the database has a stream's answer, or will never get it: its time to live starts."""

    async def purge(self, log: StreamLog) -> None:
        """Delete a stream at once, in all processes."""
