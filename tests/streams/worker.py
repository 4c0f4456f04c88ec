"""A process with a journal, controlled through a pipe, so that it can be killed and suspended."""

import asyncio
import multiprocessing
import os
import signal
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from typing import Any

from service.deltas import Event
from service.streams.codec import decode_events, encode_events
from service.streams.journal import IdempotencyKey, Journal
from service.streams.log import StreamLog
from tests.streams.samples import DONE, RecordingOwner, journal_at, no_logs, record, start, text_deltas

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.streams.worker"])

ANSWER_S = 10.0


class _Inside:
    """The process's side: one method for each command."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._owner = RecordingOwner()
        journal.attach(self._owner)
        self._logs = no_logs()
        self._readers = ExitStack()

    async def begin(self, key: IdempotencyKey | None = None) -> str:
        log = await self._journal.begin(record(), key)
        self._hold(log)
        if not log.numbered:
            self._journal.append(log, [start(log)], "streaming")
        return log.stream_id

    def _hold(self, log: StreamLog) -> None:
        if self._logs.get(log.stream_id) is not log:
            self._logs[log.stream_id] = log
            self._readers.enter_context(log.reader())

    async def append(self, stream_id: str, *words: str, end: bool = False) -> None:
        events = [*text_deltas(*words), *([DONE] if end else [])]
        self._journal.append(self._logs[stream_id], events, "done" if end else "streaming")

    async def find(self, stream_id: str) -> bool:
        log = await self._journal.find(stream_id)
        if log:
            self._hold(log)
        return log is not None

    async def events(self, stream_id: str) -> bytes:
        return encode_events(self._logs[stream_id].events)

    async def resumable(self, stream_id: str) -> bool:
        return self._logs[stream_id].resumable

    async def take_over(self, stream_id: str) -> bool:
        log = await self._journal.take_over(stream_id)
        if log:
            self._hold(log)
            if not log.events:
                self._journal.append(log, [start(log)], "streaming")
        return log is not None

    async def release(self, stream_id: str) -> None:
        await self._journal.release(self._logs[stream_id])

    async def request_cancel(self, stream_id: str) -> None:
        await self._journal.request_cancel(stream_id)

    async def cancelled(self) -> list[str]:
        return self._owner.cancelled

    async def replaced(self) -> list[str]:
        return [log.stream_id for log in self._owner.replacements]

    async def abandoned(self) -> list[str]:
        return self._owner.abandonments

    async def available(self) -> bool:
        return self._journal.available


async def _serve(url: str, options: dict[str, float], pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(pipe.fileno(), readable.set)
    async with journal_at(url, **options) as journal:  # type: ignore[arg-type] # numbers all
        inside = _Inside(journal)
        pipe.send(None)
        while True:
            await readable.wait()
            name, args, kwargs = pipe.recv()
            if not pipe.poll():
                readable.clear()
            pipe.send(await getattr(inside, name)(*args, **kwargs))


def serve(url: str, options: dict[str, float], pipe: Connection) -> None:
    """Run the process until it is killed."""
    with suppress(EOFError, KeyboardInterrupt):  # the test has ended
        asyncio.run(_serve(url, options, pipe))


class Worker:
    """The handle of such a process. Its attributes are the commands."""

    def __init__(self, url: str, **options: float) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=serve, args=(url, options, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._stopped = False
        self._answer()

    def tell(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Run a command in the process, and return the result."""
        self._pipe.send((name, args, kwargs))
        return self._answer()

    def events(self, stream_id: str) -> list[Event]:
        """The events that it has published."""
        return decode_events(self.tell("events", stream_id))

    def has_ended(self, stream_id: str) -> bool:
        """Whether it has published the last event."""
        return self.events(stream_id)[-1:] == [DONE]

    def _answer(self) -> Any:
        assert self._pipe.poll(ANSWER_S), "the process does not respond"
        return self._pipe.recv()

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def pause(self) -> None:
        """Suspend it."""
        os.kill(self._process.pid or 0, signal.SIGSTOP)

    def resume(self) -> None:
        """Continue it."""
        os.kill(self._process.pid or 0, signal.SIGCONT)
