"""A stream's log in this process: numbered events, and the readers that follow them.

The producer appends batches and knows no reader; readers take what is new and know no producer. Events are numbered
from 1 without a gap when they are appended, and shown once the journal has them safe.
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
"""Events a reader takes at once: a bound on the bytes of one write when it has much to catch up."""

Take = Callable[[Sequence[Event]], bool]

_EVENT_BYTES = 96  # a struct, its slot in the list and its index, measured with CPython 3.11
_WORTH_TELLING = 2_048  # bytes: a bound on memory needs no word for each delta
_OTHER_BYTES = 400  # an event with more than a text: few in a stream


def size_of(event: Event) -> int:
    """Estimate the memory an event takes, in bytes."""
    if type(event) is TextDelta:  # nearly every event
        return _EVENT_BYTES + sys.getsizeof(event.text)
    if type(event) is ToolCallDelta:
        return _EVENT_BYTES + sys.getsizeof(event.arguments)
    return _OTHER_BYTES


class StreamLog:
    """One stream. `events[n - 1]` is event n; `numbered` counts those not yet shown as well."""

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
        self.heard: float | None = None  # when the newest of the answer came from upstream, where it is produced here
        self.readers = 0
        self.on_readers: Callable[[int], None] = _ignore
        self.on_empty: Callable[[StreamLog], None] = _nothing
        self._on_growth: Callable[[StreamLog, int], None] = _no_cache
        self._told = 0  # of the size
        self._gone: ServiceError | None = None
        self._waiting: dict[asyncio.Future[None], Take | None] = {}
        self._loop = asyncio.get_running_loop()  # whose look-up is a system call a time (CPython 3.11 asks for its pid)

    @property
    def end(self) -> Done | Failed | None:
        """The last event, once it is shown."""
        return last if self.events and isinstance(last := self.events[-1], Done | Failed) else None

    @property
    def busy(self) -> bool:
        """Whether anybody reads it or waits for it."""
        return self.readers > 0 or bool(self._waiting)

    @property
    def refusal(self) -> Failed | None:
        """The failure of a generation that showed nothing: it can still be told as an HTTP error."""
        end = self.end
        if isinstance(end, Failed) and all(isinstance(event, Start | Status) for event in self.events[:-1]):
            return end
        return None

    def number(self, events: Sequence[Event]) -> int:
        """Give events their numbers, and return the first."""
        first = self.numbered + 1
        self.numbered += len(events)
        return first

    def show(self, first: int, events: Sequence[Event]) -> None:
        """Let the readers see events, in order; none are left to see those of a stream that was dropped."""
        if self._gone:
            return
        if first != len(self.events) + 1:
            raise AssertionError(f"stream {self.stream_id}: event {first} shown after {len(self.events)}")
        self.events.extend(events)
        self.numbered = max(self.numbered, len(self.events))
        for event in events:
            self.size += size_of(event)
        last = events[-1]
        if type(last) is Done or type(last) is Failed:
            self.state = _state_after(last)
            self.ended_at = self._loop.time()
            self.release_request()
        elif self.size - self._told >= _WORTH_TELLING:
            self._tell_growth()
        for waiting, take in self._waiting.items():
            if not (waiting.done() or (take and take(events))):
                waiting.set_result(None)

    def release_request(self) -> None:
        """Drop the request's content, which only the producer of a running stream needs."""
        self.record = self.record.without_request()
        self.size -= self._request_bytes
        self._request_bytes = 0
        self._tell_growth()

    def hold_request(self, request: Request) -> None:
        """Take back a request that was read from the journal: this process produces the stream from now on."""
        self.record = self.record.with_request(request)
        grown = request.size_bytes - self._request_bytes
        self._request_bytes += grown
        self.size += grown
        self._tell_growth()

    def watch_growth(self, on_growth: Callable[["StreamLog", int], None]) -> None:
        """Tell somebody of what is added from now on, some kilobytes at a time, and of what is dropped."""
        self._on_growth, self._told = on_growth, self.size

    def _tell_growth(self) -> None:
        grown, self._told = self.size - self._told, self.size
        self._on_growth(self, grown)

    def drop(self, error: ServiceError) -> None:
        """Forget the events: whoever still reads is told why, and sees no gap."""
        self._gone = error
        self.record = self.record.without_request()
        self.size = self._request_bytes = 0
        self._tell_growth()
        self.events = []
        self.wake()

    def wake(self) -> None:
        """Wake every reader."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def take(self, after: int) -> Sequence[Event]:
        """Return the next events after number `after`: a bounded batch, empty where nothing is new.

        Raises:
            ServiceError: the stream has been dropped.
        """
        if self._gone:
            raise copy(self._gone)  # its own: a traceback holds the frames of the reader that got it
        return self.events[after : after + BATCH]

    async def wait(self, after: int, take: Take | None = None) -> None:
        """Wait until there is more than `after` events, or until somebody wakes the readers.

        `take` is given what is shown meanwhile, in the step that shows it: true, it has it, and the wait goes on.
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
        """Count as a reader.

        What becomes of a stream that nobody reads is its producer's affair (`on_readers`); that nobody here reads it
        any more is told to its journal too (`on_empty`).
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


def _state_after(end: Done | Failed) -> State:
    if isinstance(end, Failed):
        return "failed"
    return "cancelled" if end.stop_reason is StopReason.CANCELLED else "done"


def _ignore(_: int) -> None:
    """Nobody minds."""


def _nothing(_: StreamLog) -> None:
    """Ignore that the last reader has left."""


def _no_cache(_: StreamLog, __: int) -> None:
    """Ignore the growth of a log that no cache holds."""
