"""The protocol of a durable journal's store, which SQLite and Valkey implement: batches, leases, keys and news.

A store does not know events or readers. Each operation is atomic for other processes. Each call may fail with
`Unavailable`; the operation may have happened nevertheless.
"""

from collections.abc import Collection, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

from service.streams.journal import IdempotencyKey


class Unavailable(Exception):
    """The store cannot be reached or cannot write."""


class Outcome(Enum):
    """The result of a write or of a lease renewal."""

    KEPT = auto()
    CANCELLED = auto()  # the lease is renewed; a client cancels the stream
    REPLACED = auto()  # another process has taken the stream over
    GONE = auto()  # the store no longer has the stream


class StoredState(Enum):
    """The state of a stream, for processes that follow it."""

    LIVE = auto()
    EXPIRED = auto()  # its producer has not renewed the lease
    RELEASED = auto()  # its producer released it
    ENDED = auto()
    GONE = auto()


class Batch(NamedTuple):
    """Events to store: `first` is the number of the first event, `last` whether the stream ends with them."""

    stream_id: str
    epoch: int
    first: int
    content: bytes
    last: bool


class Lease(NamedTuple):
    """A stream that is produced here. `mark`: the first number of the last stored batch, 0 before it."""

    stream_id: str
    epoch: int
    mark: int


class Stored(NamedTuple):
    """A stream as stored. `position` is where to follow it from."""

    record: bytes
    epoch: int
    batches: Sequence[tuple[int, bytes]]
    position: str
    ended: bool


class Bound(NamedTuple):
    """The stream that a key is bound to."""

    stream_id: str
    fingerprint: str


class Appended(NamedTuple):
    """A batch was added to a stream that is followed."""

    stream_id: str
    first: int
    content: bytes


class Released(NamedTuple):
    """The producer of a followed stream released it."""

    stream_id: str


class CancelRequested(NamedTuple):
    """A client cancels a stream that is produced here."""

    stream_id: str


News = Appended | Released | CancelRequested


class JournalStore(Protocol):
    """Storage of bytes, shared by processes. The constructor's `process` is the name of this one."""

    name: str

    async def open(self) -> None:
        """Connect and check that the store can be written to. Called again after each failure.

        Raises:
            SettingsError: only at the first call: the address is invalid.
        """

    async def close(self) -> None:
        """Close all connections, whatever state they are in."""

    async def begin(
        self, stream_id: str, record: bytes, request: bytes, key: IdempotencyKey | None, *, archived: bool = False
    ) -> Bound | None:
        """Create a stream with epoch 1 and a lease of this process, and bind `key`; or return what it is bound to.

        `request` is deleted when the stream ends. An `archived` stream does not expire before it is noted as `stored`.
        """

    async def bound(self, key: IdempotencyKey) -> Bound | None:
        """Return the stream that a key is bound to."""

    async def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Store batches, at most one of a stream. A repeated batch is stored once."""

    async def read(self, stream_id: str) -> Stored | None:
        """Return all that is stored of a stream."""

    async def request(self, stream_id: str) -> bytes | None:
        """Return the request of a stream that has not ended."""

    async def sample(self) -> tuple[str, bytes] | None:
        """Return one stream's id and record, to check whether stored streams can be read."""

    async def follow(self, stream_id: str, position: str) -> None:
        """Let `news` report what is added after `position`."""

    def unfollow(self, stream_id: str) -> None:
        """Let `news` no longer report a stream."""

    async def news(self) -> Sequence[News]:
        """Wait for news for a limited time; the result may be empty."""

    async def look(self, stream_ids: Sequence[str], *, present: bool) -> Sequence[StoredState]:
        """Return the states of streams; `present`: note that this process has readers of them, for one lease."""

    async def leave(self, stream_id: str) -> None:
        """Note that this process has no readers of a stream."""

    async def is_read_elsewhere(self, stream_id: str) -> bool:
        """Whether another process has readers of a stream."""

    async def renew(self, leases: Sequence[Lease]) -> Sequence[Outcome]:
        """Renew the leases of the streams that are produced here."""

    async def sweep(self) -> Sequence[tuple[str, StoredState]]:
        """Return streams without a producer, and delete expired ones."""

    async def take_over(self, stream_id: str, *, released_only: bool) -> int | None:
        """Take a stream without a producer; return its new epoch, or None if it has a producer or has ended."""

    async def release(self, stream_id: str, epoch: int) -> None:
        """Release a lease."""

    async def request_cancel(self, stream_id: str) -> None:
        """Note that a stream is cancelled, and notify its producer."""

    async def unstored(self) -> Collection[str]:
        """Return the ids of archived streams that have ended and are not noted as stored."""

    async def stored(self, stream_id: str) -> None:
        """Let an archived stream expire, one time to live from now."""

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""

    async def purge(self, stream_id: str, epoch: int | None = None) -> None:
        """Delete a stream; with `epoch`, only if it has not been taken over since."""
