"""The logs one process holds, within a bound of memory and of time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator

from service.errors import ServiceError
from service.streams.log import StreamLog


class MadeRoom(ServiceError):
    """A stream was let go here for want of memory, and its journal still has it: it can be read on from there."""

    def __init__(self) -> None:
        super().__init__("gone")


class Shelf:
    """Logs by stream id. Finished ones go after `ttl_s` seconds, or when memory is short, the oldest first."""

    def __init__(self, *, ttl_s: float, memory_bytes: int) -> None:
        self._ttl_s = ttl_s
        self._memory_bytes = memory_bytes
        self._logs: dict[str, StreamLog] = {}
        self._finished: OrderedDict[str, StreamLog] = OrderedDict()  # in the order they ended
        self.kept_elsewhere: Callable[[StreamLog], bool] = _nowhere
        self.on_evicted: Callable[[], None] = _nothing
        self.size = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._logs)

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._logs

    def __iter__(self) -> Iterator[StreamLog]:
        return iter(list(self._logs.values()))

    @property
    def full(self) -> bool:
        """Whether running streams alone fill the memory: no further one should begin."""
        return self.size > self._memory_bytes and not self._finished

    def make_place(self) -> None:
        """Make sure that there is memory for one more stream.

        Raises:
            ServiceError: `overloaded`, there is not.
        """
        self.expire()
        if self.full:
            raise ServiceError("overloaded", "The memory for streams is full of running ones.", retry_after=1)

    def put(self, log: StreamLog) -> None:
        """Hold a log and watch its growth."""
        self._logs[log.stream_id] = log
        self.size += log.size
        log.watch_growth(lambda size: self._grown(log, size))
        if log.end:
            self._finished[log.stream_id] = log
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
        self._finished.pop(log.stream_id, None)
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
        if log.end and log.stream_id in self._logs:
            self._finished.setdefault(log.stream_id, log)
        if size > 0:
            self._make_room()

    def _make_room(self) -> None:
        while self._finished and self.size > self._memory_bytes:
            self.evicted += 1
            self.on_evicted()
            oldest = next(iter(self._finished.values()))
            self.take_out(oldest, MadeRoom() if self.kept_elsewhere(oldest) else None)


def _nowhere(_: StreamLog) -> bool:
    return False


def _nothing() -> None:
    """Nobody minds."""
