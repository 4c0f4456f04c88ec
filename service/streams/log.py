"""A stream's log in this process: numbered events, and the readers that follow them.

Producer and readers do not know each other. Events are numbered from 1 without a gap when they are appended, and
published once the journal has stored them.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from service.deltas import Done, Event, Failed, Start, Status, StopReason, TextDelta, ToolCallDelta
from service.errors import ServiceError
from service.generation import Request
from service.streams.record import Record, State

BATCH = 512
"""Events that a reader takes at once: bounds the bytes of one write when it has much to catch up."""

Take = Callable[[Sequence[Event]], bool]

_EVENT_BYTES = 96  # a struct, its slot in the list and its index, measured with CPython 3.11
_REPORTED_BYTES = 2_048  # growth is reported in steps of this size, not for each delta
_OTHER_BYTES = 400  # an event with more than a text; a stream has few of them


def size_of(event: Event) -> int:
    """Estimate the memory an event takes, in bytes."""
    if type(event) is TextDelta:  # nearly every event
        return _EVENT_BYTES + sys.getsizeof(event.text)
    if type(event) is ToolCallDelta:
        return _EVENT_BYTES + sys.getsizeof(event.arguments)
    return _OTHER_BYTES


class StreamLog:
    """The log of one stream. `events[n - 1]` is event n; `numbered` also counts events that are not published yet."""

    def __init__(self, record: Record, *, epoch: int = 1) -> None:
        self.record = record
        self.stream_id = record.stream_id
        self.epoch = epoch
        self.events: list[Event] = []
        self.numbered = 0
        self.state: State = "queued"
        self.resumable = True
        self.ended_at: float | None = None
        self._request_bytes = record.request.size_bytes
        self.size = self._request_bytes + len(record.input)
        self.received_at: float | None = (
            None  # loop time at which the newest delta arrived from upstream, if produced here
        )
        self.readers = 0
        self.on_readers: Callable[[int], None] = _ignore
        self.on_empty: Callable[[StreamLog], None] = _ignore
        self._on_growth: Callable[[StreamLog, int], None] = _ignore
        self._reported = 0  # the size that `_on_growth` knows
        self._gone: ServiceError | None = None
        self._waiting: dict[asyncio.Future[None], Take | None] = {}
        self._loop = asyncio.get_running_loop()  # kept: each look-up is a system call (getpid, CPython 3.11)

    @property
    def end(self) -> Done | Failed | None:
        """The last event, once it is published."""
        return last if self.events and isinstance(last := self.events[-1], Done | Failed) else None

    @property
    def busy(self) -> bool:
        """Whether it has readers or tasks that wait for it."""
        return self.readers > 0 or bool(self._waiting)

    @property
    def refusal(self) -> Failed | None:
        """The failure of a generation without content: it can still be sent as an HTTP error."""
        end = self.end
        if isinstance(end, Failed) and all(isinstance(event, Start | Status) for event in self.events[:-1]):
            return end
        return None

    def number(self, events: Sequence[Event]) -> int:
        """Number events and return the first number."""
        first = self.numbered + 1
        self.numbered += len(events)
        return first

    def publish(self, first: int, events: Sequence[Event]) -> None:
        """Publish events to the readers, in order; ignored if the log was dropped."""
        if self._gone:
            return
        if first != len(self.events) + 1:
            raise AssertionError(f"stream {self.stream_id}: event {first} published after {len(self.events)}")
        self.events.extend(events)
        self.numbered = max(self.numbered, len(self.events))
        for event in events:
            self.size += size_of(event)
        last = events[-1]
        if type(last) is Done or type(last) is Failed:
            if isinstance(last, Failed):
                self.state = "failed"
            else:
                self.state = "cancelled" if last.stop_reason is StopReason.CANCELLED else "done"
            self.ended_at = self._loop.time()
            self.release_request()
        elif self.size - self._reported >= _REPORTED_BYTES:
            self._report_growth()
        for waiting, take in self._waiting.items():
            if not (waiting.done() or (take and take(events))):
                waiting.set_result(None)

    def release_request(self) -> None:
        """Drop the request's content, which only the producer of a running stream needs."""
        self.record = self.record.without_request()
        self.size -= self._request_bytes
        self._request_bytes = 0
        self._report_growth()

    def set_request(self, request: Request) -> None:
        """Set the request read from the journal: this process now produces the stream."""
        self.record = self.record.with_request(request)
        grown = request.size_bytes - self._request_bytes
        self._request_bytes += grown
        self.size += grown
        self._report_growth()

    def watch_growth(self, on_growth: Callable[["StreamLog", int], None]) -> None:
        """Report changes of the size from now on, growth in steps of some kilobytes."""
        self._on_growth, self._reported = on_growth, self.size

    def _report_growth(self) -> None:
        grown, self._reported = self.size - self._reported, self.size
        self._on_growth(self, grown)

    def drop(self, error: ServiceError) -> None:
        """Delete the events; readers get `error`, so that they see no gap."""
        self._gone = error
        self.record = self.record.without_request()
        self.size = self._request_bytes = 0
        self._report_growth()
        self.events = []
        self.wake()

    def wake(self) -> None:
        """Wake every reader."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def take(self, after: int) -> Sequence[Event]:
        """Return the next events after number `after`: a bounded batch, empty if there are none.

        Raises:
            ServiceError: the stream has been dropped.
        """
        if self._gone:
            raise copy(self._gone)  # a copy for each reader: the traceback refers to the reader's frames
        return self.events[after : after + BATCH]

    async def wait(self, after: int, take: Take | None = None) -> None:
        """Wait until there are more than `after` events, or until `wake` is called.

        `take` is called with events in the step that publishes them; if it returns True, it has sent them and the wait
        continues.
        """
        if len(self.events) > after or self._gone:
            return
        waiting = self._loop.create_future()
        self._waiting[waiting] = take
        try:
            await waiting
        finally:
            del self._waiting[waiting]

    async def wait_for_end(self) -> Done | Failed:
        """Wait for the last event.

        Raises:
            ServiceError: the stream has been dropped.
        """
        while not (end := self.end):
            self.take(0)
            await self.wait(len(self.events))
        return end

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Count as a reader while the block lasts.

        `on_readers` gets the new number of readers (for the disconnect policy); `on_empty` is called when the last
        reader of this process has left (for the journal).
        """
        self.readers += 1
        self.on_readers(self.readers)
        try:
            yield
        finally:
            self.readers -= 1
            self.on_readers(self.readers)
            if not self.readers:
                self.on_empty(self)


def _ignore(*_: object) -> None:
    """Do nothing."""
