"""Records, events and an owner for the tests of streams, and waiting for events."""

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from service.deltas import Done, Event, Metrics, Start, Status, StopReason, TextDelta, Usage
from service.generation import Message, OnDisconnect, Policies, Request, Text
from service.streams.factory import open_journal
from service.streams.journal import IdempotencyKey, Journal
from service.streams.log import StreamLog
from service.streams.record import Record, new_stream_id
from tests.waiting import patience

LEASE_S = 0.6
TTL_S = 60.0
MEMORY_BYTES = 1 << 24

DONE = Done(StopReason.END_TURN, "end_turn", Usage(3, 5), Metrics(latency=0.1))
CANCELLED = Done(StopReason.CANCELLED, None, Usage(3, 5, estimated=True), Metrics(latency=0.1))


def record(*, store: bool = True, on_disconnect: OnDisconnect = "detach", archived: bool = False) -> Record:
    """Make the record of a new stream."""
    return Record(
        stream_id=new_stream_id(),
        caller="me",
        created=time.time(),
        dialect="native",
        request=Request("a.model-v1:0", (Message("user", (Text("Why is the sky blue?"),)),), max_tokens=500),
        policies=Policies(on_disconnect=on_disconnect, store=store),
        options={"kept": ["for", "the", "dialect"]},
        archived=archived,
    )


def key(name: str = "k", fingerprint: str = "body") -> IdempotencyKey:
    """Make an idempotency key."""
    return IdempotencyKey("me", name, fingerprint)


def start(log: StreamLog) -> Start:
    """Make a stream's first event."""
    return Start(log.stream_id, log.record.request.model_id, "converse", "local")


def text_deltas(*words: str) -> list[Event]:
    """Make text events."""
    return [TextDelta(0, word) for word in words]


def text_of(events: Sequence[Event]) -> str:
    """Join the text of events."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def announced(log: StreamLog) -> bool:
    """Whether readers were told that the stream cannot be resumed."""
    return [event.state for event in log.events if isinstance(event, Status)] == ["not_resumable"]


def no_events() -> dict[str, list[Event]]:
    """Make an empty collection of events by stream id."""
    return {}


def no_words() -> list[str]:
    """Make an empty list of words."""
    return []


def no_logs() -> dict[str, StreamLog]:
    """Make an empty collection of logs by id."""
    return {}


@dataclass
class RecordingOwner:
    """An owner that records the notifications."""

    cancelled: list[str] = field(default_factory=list)
    replacements: list[StreamLog] = field(default_factory=list)
    abandonments: list[str] = field(default_factory=list)

    def cancel_requested(self, stream_id: str) -> None:
        self.cancelled.append(stream_id)

    def replaced(self, log: StreamLog) -> None:
        self.replacements.append(log)

    def abandoned(self, stream_id: str) -> None:
        self.abandonments.append(stream_id)


def journal_at(
    url: str, *, lease_s: float = LEASE_S, ttl_s: float = TTL_S, memory_bytes: int = MEMORY_BYTES
) -> AbstractAsyncContextManager[Journal]:
    """Open a journal as one process does."""
    return open_journal(url, lease_s=lease_s, ttl_s=ttl_s, memory_bytes=memory_bytes)


async def shown(log: StreamLog, count: int) -> list[Event]:
    """Wait for a log's first `count` events."""
    async with patience():
        while len(log.events) < count:
            await log.wait(len(log.events))
    return log.events[:count]


async def read_all(log: StreamLog, after: int = 0) -> list[Event]:
    """Read a stream to its end, as a reader does."""
    events: list[Event] = []
    async with patience():
        with log.reader():
            while not (events and isinstance(events[-1], Done)) and log.refusal is None:
                if new := log.take(after + len(events)):
                    events.extend(new)
                else:
                    await log.wait(after + len(events))
    return events
