"""What SQLite and Valkey each do for a durable journal: keep batches of bytes, leases and keys, and tell of news.

A store knows no events and no readers. Everything it does is one step for other processes: they see all of it or
nothing. Each of its calls may fail with `Unavailable`, and then it may have happened all the same.
"""

from collections.abc import Collection, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

from service.streams.journal import IdempotencyKey


class Unavailable(Exception):
    """The store cannot be reached, or keeps nothing just now."""


class Outcome(Enum):
    """What became of a batch, or of a lease."""

    KEPT = auto()
    CANCELLED = auto()  # a lease that is kept, of a stream that somebody cancels
    REPLACED = auto()  # another process has taken the stream over
    GONE = auto()  # the store has lost the stream


class StoredState(Enum):
    """How a stream stands, for those that follow it."""

    LIVE = auto()
    EXPIRED = auto()  # its producer has been silent for longer than its lease
    RELEASED = auto()  # its producer gave it up
    ENDED = auto()
    GONE = auto()


class Batch(NamedTuple):
    """Events to keep: `first` is the number of the first of them, `last` whether the stream ends with them."""

    stream_id: str
    epoch: int
    first: int
    content: bytes
    last: bool


class Lease(NamedTuple):
    """A stream that is produced here. `mark`: the first number of the last batch that was kept, 0 before it."""

    stream_id: str
    epoch: int
    mark: int


class Stored(NamedTuple):
    """A stream as the store has it. `position` is where to follow it from."""

    record: bytes
    epoch: int
    batches: Sequence[tuple[int, bytes]]
    position: str
    ended: bool


class Bound(NamedTuple):
    """The stream that a key is bound to already."""

    stream_id: str
    fingerprint: str


class Appended(NamedTuple):
    """A batch was added to a stream that is followed."""

    stream_id: str
    first: int
    content: bytes


class Released(NamedTuple):
    """The producer of a stream that is followed gave it up."""

    stream_id: str


class CancelAsked(NamedTuple):
    """Somebody cancels a stream that is produced here."""

    stream_id: str


News = Appended | Released | CancelAsked


class JournalStore(Protocol):
    """Where bytes are kept, shared by processes. `process` in its making names this one."""

    name: str

    async def open(self) -> None:
        """Connect, and make sure that something can be kept. Called again after each failure.

        Raises:
            SettingsError: the first time only, the address can never work.
        """

    async def close(self) -> None:
        """Let go of everything, whatever state it is in."""

    async def begin(
        self, stream_id: str, record: bytes, request: bytes, key: IdempotencyKey | None, *, archived: bool = False
    ) -> Bound | None:
        """Begin a stream with epoch 1 and a lease of this process, and bind `key`; or say what it is bound to.

        `request` is deleted when the stream ends.

        An `archived` stream does not expire before it is noted as `stored`.
        """

    async def bound(self, key: IdempotencyKey) -> Bound | None:
        """Say what a key is bound to."""

    async def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Keep batches, at most one of a stream. The same batch again is kept once."""

    async def read(self, stream_id: str) -> Stored | None:
        """Return all that is kept of a stream."""

    async def request(self, stream_id: str) -> bytes | None:
        """Return the request of a stream that has not ended."""

    async def sample(self) -> tuple[str, bytes] | None:
        """Return some stream's id and record, to see whether they can be read."""

    async def follow(self, stream_id: str, position: str) -> None:
        """Let `news` tell of what is added after `position`."""

    def unfollow(self, stream_id: str) -> None:
        """Let `news` tell of a stream no more."""

    async def news(self) -> Sequence[News]:
        """Wait for news, though not for long: an empty answer means nothing."""

    async def look(self, stream_ids: Sequence[str], *, present: bool) -> Sequence[StoredState]:
        """Say how streams stand; `present`: note that this process has readers of them, for one lease."""

    async def leave(self, stream_id: str) -> None:
        """Note that this process has no readers of a stream any more."""

    async def is_read_elsewhere(self, stream_id: str) -> bool:
        """Whether another process has readers of a stream."""

    async def renew(self, leases: Sequence[Lease]) -> Sequence[Outcome]:
        """Renew the leases of what is produced here."""

    async def sweep(self) -> Sequence[tuple[str, StoredState]]:
        """Name streams that nobody produces, and drop what is out of date."""

    async def take_over(self, stream_id: str, *, released_only: bool) -> int | None:
        """Take a stream that nobody produces: its new epoch, or None where somebody does or it has ended."""

    async def release(self, stream_id: str, epoch: int) -> None:
        """Give a lease up."""

    async def ask_cancel(self, stream_id: str) -> None:
        """Note that a stream is cancelled, and tell its producer."""

    async def unstored(self) -> Collection[str]:
        """Name the archived streams that have ended and are not noted as stored."""

    async def stored(self, stream_id: str) -> None:
        """Let an archived stream expire, one time to live from now."""

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""

    async def purge(self, stream_id: str, epoch: int | None = None) -> None:
        """Forget a stream; with `epoch`, only where nobody has taken it over since."""
