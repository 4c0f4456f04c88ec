"""The logs that one process holds, within a bound of memory and of time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator

from service.errors import ServiceError
from service.streams.log import StreamLog

_CROWDED = (
    "The database is unavailable, and finished answers that wait for it fill half of the memory for streams. "
    "Requests whose answer is not stored are served."
)


class MadeRoom(ServiceError):
    """A stream was let go here for want of memory, and its journal still has it: it can be read on from there."""

    def __init__(self) -> None:
        super().__init__("gone")


class Shelf:
    """Logs by stream id. Finished ones go after `ttl_s` seconds, or when memory is short, the oldest first.

    A retained log does neither: its answer has to be stored in the database first.
    """

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self._ttl_s = ttl_s
        self._memory_bytes = memory_bytes
        self._logs: dict[str, StreamLog] = {}
        self._finished: OrderedDict[str, StreamLog] = OrderedDict()  # in the order they ended
        self._retained: set[str] = set()
        self._unstored: dict[str, int] = {}  # bytes of retained logs that have ended
        self._unstored_bytes = 0
        self.kept_elsewhere: Callable[[StreamLog], bool] = _nowhere
        self.on_evicted: Callable[[], None] = _nothing
        self.size = 0
        self._finished_bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._logs)

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._logs

    def __iter__(self) -> Iterator[StreamLog]:
        return iter(list(self._logs.values()))

    @property
    def full(self) -> bool:
        """Whether running streams alone fill the memory: no further one may begin."""
        return self.size - self._finished_bytes > self._memory_bytes

    @property
    def unstored(self) -> list[StreamLog]:
        """Finished logs whose answers the database has not stored yet."""
        return [self._logs[stream_id] for stream_id in self._unstored]

    @property
    def crowded(self) -> bool:
        """Whether answers that the database has not stored yet fill half of the memory."""
        return self._unstored_bytes > self._memory_bytes / 2

    def make_place(self, *, archived: bool = False) -> None:
        """Make sure that there is memory for one more stream; `archived`: its answer has to be stored.

        Raises:
            ServiceError: `overloaded`, there is not.
        """
        self.expire()
        if archived and self.crowded:
            raise ServiceError("overloaded", _CROWDED, retry_after=5)
        if self.full:
            raise ServiceError("overloaded", "The memory for streams is full of running generations.", retry_after=1)

    def put(self, log: StreamLog) -> None:
        """Hold a log and watch its growth."""
        self._logs[log.stream_id] = log
        self.size += log.size
        log.watch_growth(self._grown)
        if log.end:
            self._finish(log)
        self._make_room()

    def retain(self, log: StreamLog) -> None:
        """Neither expire nor evict a log until it is released."""
        self._retained.add(log.stream_id)
        if self._take_finished(log):
            self._finish(log)

    def release(self, log: StreamLog) -> None:
        """End the retention of a log; if it has ended, its time to live begins now."""
        self._retained.discard(log.stream_id)
        if (size := self._unstored.pop(log.stream_id, None)) is not None:
            self._unstored_bytes -= size
            log.ended_at = asyncio.get_running_loop().time()
            self._finish(log)
            self._make_room()

    def get(self, stream_id: str) -> StreamLog | None:
        """Return a log that is still held."""
        self.expire()
        return self._logs.get(stream_id)

    def take_out(self, log: StreamLog, error: ServiceError | None = None) -> None:
        """Let a log go; its readers, if any, are told."""
        if self._logs.get(log.stream_id) is not log:
            return
        del self._logs[log.stream_id]
        self._take_finished(log)
        self._retained.discard(log.stream_id)
        self._unstored_bytes -= self._unstored.pop(log.stream_id, 0)
        log.drop(error or ServiceError("gone"))

    def expire(self) -> None:
        """Let go of what has been finished for longer than `ttl_s`."""
        if not self._finished:
            return
        horizon = asyncio.get_running_loop().time() - self._ttl_s
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if oldest.ended_at is None or oldest.ended_at > horizon:
                return
            self.take_out(oldest)

    def _grown(self, log: StreamLog, size: int) -> None:
        self.size += size
        if log.end and log.stream_id in self._logs and log.stream_id not in self._finished:
            self._finish(log)
        if size > 0:
            self._make_room()

    def _finish(self, log: StreamLog) -> None:
        if log.stream_id not in self._retained:
            self._finished[log.stream_id] = log
            self._finished_bytes += log.size
        elif log.stream_id not in self._unstored:
            self._unstored[log.stream_id] = log.size
            self._unstored_bytes += log.size

    def _take_finished(self, log: StreamLog) -> bool:
        """Take a log out of those that may be evicted. False: it was not among them."""
        if self._finished.pop(log.stream_id, None) is None:
            return False
        self._finished_bytes -= log.size
        return True

    def _make_room(self) -> None:
        """Evict finished streams, the oldest first.

        One with readers goes only where finished streams alone fill the memory: its readers are about to get its end,
        which running streams with large requests must not take from them.
        """
        while self.size > self._memory_bytes:
            crowded = self._finished_bytes > self._memory_bytes
            oldest = next((log for log in self._finished.values() if crowded or not log.busy), None)
            if oldest is None:
                return
            self.evicted += 1
            self.on_evicted()
            self.take_out(oldest, MadeRoom() if self.kept_elsewhere(oldest) else None)


def _nowhere(_: StreamLog) -> bool:
    return False


def _nothing() -> None:
    """Nobody minds."""
