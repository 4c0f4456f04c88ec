"""What keeps streams: the protocol that memory, SQLite and Valkey implement, and that one suite of tests holds them to.

A journal gives a stream its log, keeps the log's events safe before any reader sees them, and finds a stream again by
its id. A shared journal also lets another process go on with a stream: a producer holds a lease, and every append
carries the lease's epoch, so that one that was replaced can add nothing more.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from service.deltas import Event
from service.streams.log import StreamLog
from service.streams.record import Record, State


class IdempotencyKey(NamedTuple):
    """An `Idempotency-Key` of one caller. `fingerprint` tells one body from another; `of` is its name on the wire."""

    caller: str
    key: str
    fingerprint: str
    of: str = "Idempotency-Key"


class Owner(Protocol):
    """Whoever produces this process's streams, as a journal knows it. None of these may wait."""

    def cancel_asked(self, stream_id: str) -> None:
        """Somebody, anywhere, cancels a stream that this process produces. Told again until it has ended."""

    def replaced(self, log: StreamLog) -> None:
        """Another process has taken the stream over: its producer here must stop.

        The log is fed by the new producer from now on, and whatever is appended to it here goes nowhere.
        """

    def abandoned(self, stream_id: str) -> None:
        """A stream's producer gave it up, or let its lease run out: it may be taken over. Told again until it is."""


class Nobody:
    """Who is told while no engine is attached."""

    def cancel_asked(self, stream_id: str) -> None:
        """Nothing is produced yet."""

    def replaced(self, log: StreamLog) -> None:
        """Nothing is produced yet."""

    def abandoned(self, stream_id: str) -> None:
        """Nobody takes anything over; it is told again with the next beat."""


class JournalListener(Protocol):
    """Who hears how a journal does. It costs nothing, never waits and never fails."""

    def committed(self, seconds: float) -> None:
        """A group of batches went to the store and is kept: how long that took."""

    def evicted(self) -> None:
        """A finished stream was let go before its time, because memory was short."""


class Journal(Protocol):
    """Where streams live."""

    name: str
    shared: bool
    """Whether another process can read these streams and go on with them."""

    @property
    def available(self) -> bool:
        """Whether what is appended is kept just now."""

    @property
    def size(self) -> int:
        """The bytes of the logs that are held in this process: an estimate."""

    def attach(self, owner: Owner) -> None:
        """Name who is to be told."""

    def listen(self, listener: JournalListener) -> None:
        """Name who hears how the journal does."""

    async def begin(self, record: Record, key: IdempotencyKey | None = None) -> StreamLog:
        """Begin a stream, bound to `key`; or return the one that is bound to it already.

        Raises:
            InvalidRequest: the key is bound to another body.
            ServiceError: `gone`, the key's stream is no longer kept.
        """

    async def find_bound(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to; None where it is free, or where nobody can say just now.

        It raises what `begin` would.
        """

    def append(self, log: StreamLog, events: Sequence[Event], state: State) -> None:
        """Give events their numbers, keep them safe and then show them, in that order. Never waits.

        Where they cannot be kept the stream goes on all the same: it is announced as not resumable by a `status`
        event, and shown from memory.
        """

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return a stream's log, followed live where another process produces it.

        A log that nobody reads is not followed for long: whoever finds one reads it at once, or finds it again.

        Raises:
            ServiceError: `overloaded`, the stream is not here and nobody can say just now whether it is kept.
        """

    async def take_over(self, stream_id: str) -> StreamLog | None:
        """Take the lease of an abandoned stream, to go on with it; None where another was quicker or it has ended.

        The log holds all that was ever shown of it, which may be nothing, its start included.
        """

    async def release(self, log: StreamLog) -> None:
        """Give up a lease once all that was appended is kept, so that another process takes over at once.

        From then on the log is fed by the new producer.
        """

    async def ask_cancel(self, stream_id: str) -> None:
        """Tell the producer of a stream, wherever it is, that the stream is cancelled.

        Raises:
            ServiceError: `overloaded`, it cannot be told just now.
        """

    async def is_read_elsewhere(self, log: StreamLog) -> bool:
        """Whether readers of other processes follow a stream that is produced here; yes where nobody can say."""

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key whose generation was never admitted."""

    async def unstored(self) -> Collection[str]:
        """Name finished streams of the store whose answers no database is known to have; none while it is unavailable.

        Other processes may be about to store them.
        """

    async def retain(self, log: StreamLog) -> bool:
        """Keep a finished stream here until its answer is stored. False: there is no memory for it."""

    async def stored(self, stream_id: str) -> None:
        """Note that the database has a stream's answer, or will never have it: its time to live begins."""

    async def purge(self, log: StreamLog) -> None:
        """Forget a stream at once, everywhere."""
