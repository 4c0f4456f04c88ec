"""The stream logs that one process keeps in memory, limited in bytes and time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator

from service.errors import ServiceError
from service.streams.log import StreamLog

_CROWDED = (
    "The database is unavailable, and finished answers that wait for it fill half of the memory for streams. "
    "Requests whose answer is not stored are accepted."
)


class Evicted(ServiceError):
    """A stream was evicted from memory while its journal still has it; the reader can load it from there."""

    def __init__(self) -> None:
        super().__init__("gone")


class StreamCache:
    """Logs by stream id. Finished ones expire after `ttl_s` seconds and are evicted when memory is short, oldest first.

    A retained log neither expires nor is evicted: its answer has to be stored in the database first.
    """

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self._ttl_s = ttl_s
        self._memory_bytes = memory_bytes
        self._logs: dict[str, StreamLog] = {}
        self._finished: OrderedDict[str, StreamLog] = OrderedDict()  # in the order in which they ended
        self._retained: set[str] = set()
        self._unstored: dict[str, int] = {}  # bytes of retained logs that have ended
        self._unstored_bytes = 0
        self.is_stored: Callable[[StreamLog], bool] = lambda _: False
        self.on_evicted: Callable[[], None] = lambda: None
        self.size = 0
        self._finished_bytes = 0
        self.evicted = 0
        self._timer: asyncio.TimerHandle | None = None  # runs while there are finished logs

    def __len__(self) -> int:
        return len(self._logs)

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._logs

    def __iter__(self) -> Iterator[StreamLog]:
        return iter(list(self._logs.values()))

    @property
    def full(self) -> bool:
        """Whether running streams alone fill the memory, so that no stream can be created."""
        return self.size - self._finished_bytes > self._memory_bytes

    @property
    def unstored(self) -> list[StreamLog]:
        """Finished logs whose answers the database has not stored yet."""
        return [self._logs[stream_id] for stream_id in self._unstored]

    @property
    def crowded(self) -> bool:
        """Whether answers that the database has not stored yet fill half of the memory."""
        return self._unstored_bytes > self._memory_bytes / 2

    def check_capacity(self, *, archived: bool = False) -> None:
        """Check that there is memory for one more stream; `archived`: its answer has to be stored.

        Raises:
            ServiceError: `overloaded`: there is not.
        """
        self.expire()
        if archived and self.crowded:
            raise ServiceError("overloaded", _CROWDED, retry_after=5)
        if self.full:
            raise ServiceError("overloaded", "Running generations fill the memory for streams.", retry_after=1)

    def add(self, log: StreamLog) -> None:
        """Add a log and track its size."""
        self._logs[log.stream_id] = log
        self.size += log.size
        log.watch_growth(self._grown)
        if log.end:
            self._finish(log)
        self._evict()

    def retain(self, log: StreamLog) -> None:
        """Keep a log from expiry and eviction until it is released."""
        self._retained.add(log.stream_id)
        if self._discard_finished(log):
            self._finish(log)

    def release(self, log: StreamLog) -> None:
        """End the retention of a log; if it has ended, its time to live begins now."""
        self._retained.discard(log.stream_id)
        if (size := self._unstored.pop(log.stream_id, None)) is not None:
            self._unstored_bytes -= size
            log.ended_at = asyncio.get_running_loop().time()
            self._finish(log)
            self._evict()

    def get(self, stream_id: str) -> StreamLog | None:
        """Return a cached log."""
        self.expire()
        return self._logs.get(stream_id)

    def remove(self, log: StreamLog, error: ServiceError | None = None) -> None:
        """Remove a log; its readers get `error` (default: `gone`)."""
        if self._logs.get(log.stream_id) is not log:
            return
        del self._logs[log.stream_id]
        self._discard_finished(log)
        self._retained.discard(log.stream_id)
        self._unstored_bytes -= self._unstored.pop(log.stream_id, 0)
        log.drop(error or ServiceError("gone"))

    def close(self) -> None:
        """Remove all logs; the service is shutting down."""
        for log in self:
            self.remove(log, ServiceError("draining"))
        if self._timer:
            self._timer.cancel()

    def expire(self) -> None:
        """Remove logs that ended more than `ttl_s` seconds ago."""
        if not self._finished:
            return
        horizon = asyncio.get_running_loop().time() - self._ttl_s
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if oldest.ended_at is None or oldest.ended_at > horizon:
                return
            self.remove(oldest)

    def _grown(self, log: StreamLog, size: int) -> None:
        self.size += size
        if log.end and log.stream_id in self._logs and log.stream_id not in self._finished:
            self._finish(log)
        if size > 0:
            self._evict()

    def _finish(self, log: StreamLog) -> None:
        if log.stream_id not in self._retained:
            self._finished[log.stream_id] = log
            self._finished_bytes += log.size
            self._timer = self._timer or asyncio.get_running_loop().call_later(self._ttl_s, self._on_timer)
        elif log.stream_id not in self._unstored:
            self._unstored[log.stream_id] = log.size
            self._unstored_bytes += log.size

    def _on_timer(self) -> None:
        """Expire what is due, also while no request comes, and run again when the next log is due."""
        self._timer = None
        self.expire()
        if self._finished:
            loop, oldest = asyncio.get_running_loop(), next(iter(self._finished.values()))
            self._timer = loop.call_at((oldest.ended_at or loop.time()) + self._ttl_s, self._on_timer)

    def _discard_finished(self, log: StreamLog) -> bool:
        """Remove a log from those that may be evicted. False: it was not among them."""
        if self._finished.pop(log.stream_id, None) is None:
            return False
        self._finished_bytes -= log.size
        return True

    def _evict(self) -> None:
        """Evict finished streams, the oldest first.

        One with readers is evicted only if finished streams alone fill the memory: its readers are about to receive its
        end, and running streams with large requests must not take it from them.
        """
        while self.size > self._memory_bytes:
            crowded = self._finished_bytes > self._memory_bytes
            oldest = next((log for log in self._finished.values() if crowded or not log.busy), None)
            if oldest is None:
                return
            self.evicted += 1
            self.on_evicted()
            self.remove(oldest, Evicted() if self.is_stored(oldest) else None)
