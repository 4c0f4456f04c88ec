"""How a stream becomes a response: once, for all surfaces."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, cast

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from service.deltas import Done, Event, Failed
from service.dialects.dialect import Encoder
from service.engine.engine import Engine
from service.engine.listener import ReaderListener, Silence, attached
from service.errors import ServiceError
from service.http.client_disconnect import ClientGone, disconnected
from service.http.headers import EVENT_STREAM_HEADERS, stream_headers
from service.http.outlet import Outlet, outlet_of
from service.streams.cache import Evicted
from service.streams.log import BATCH, StreamLog

if TYPE_CHECKING:
    import anyio

logger = logging.getLogger(__name__)

_ENDS = (Done, Failed)
_ALONE = cast("anyio.Lock", nullcontext())  # nobody sends beside the events, and a lock keeps 0.8 KB for those who wait

REST = "artesian.rest"
"""Where in a scope a response leaves the events that are still to be sent, once somebody has put the name there.

The framework's frames, two dozen of them, return before: they would stand around each open stream (FastAPI 0.165).
"""


async def exhaust(sending: AsyncGenerator[None, None]) -> None:
    """Send all that a response has left."""
    async with aclosing(sending):
        async for _ in sending:
            pass


class GenerationFailed(ServiceError):
    """A generation that failed before it showed anything: its failure is still an HTTP error."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.code, failed.message, status=failed.status, retry_after=failed.retry_after)
        self._failed = failed

    @property
    def retryable(self) -> bool:
        """As the generation's own failure says."""
        return self._failed.retryable

    @property
    def retried(self) -> bool:
        """Whether this very generation was tried again, and not only its kind of failure."""
        return self._failed.retried


class StreamResponse(EventSourceResponse):
    """Sends a stream's events after number `after`, live to its end.

    The status line waits for the first event: a generation that fails before it is an HTTP error (`fresh` streams
    only; who comes back to a stream gets its events, whatever they are). While the response lasts it counts as a
    reader of the stream.

    Of sse-starlette it takes the response and its sending. What that does beside it in tasks of their own is done
    already: one watchdog for heartbeats and slow readers, the engine's word when the process ends, and the connection's
    that the client left. What is new while a reader that keeps up waits for it goes out in the step that brought it.
    """

    def __init__(
        self, engine: Engine, log: StreamLog, encoder: Encoder, *, after: int = 0, fresh: bool = False
    ) -> None:
        self._engine = engine
        self._log = log
        self._encoder = encoder
        self._after = after
        self._fresh = fresh
        self._silent = False
        self._waiting = False
        self._too_slow = False
        self._broken: Exception | None = None
        self._time = engine.watchdog.time
        self._sending = engine.watchdog.watch(engine.settings.send_timeout, self._expire)
        self._silence = engine.watchdog.watch(engine.settings.heartbeat, self._beat)
        # What is known later has its place from the start: CPython 3.11 shares the names of attributes among a class's
        # objects only until one of them gets another, and then each takes 1.3 KB for its own.
        self._task: asyncio.Task[object] | None = None
        self._outlet: Outlet | None = None
        self._listener: ReaderListener = Silence().reader()
        self._gone: Callable[[], bool] = bool
        self._send: Send = _nowhere
        super().__init__(
            self._events(),
            media_type=encoder.media_type,
            headers=EVENT_STREAM_HEADERS,
            ping=0,  # the heartbeats are ours: one watchdog minds them all
        )
        self._send_lock = _ALONE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as far as the status line, and leave the events to whoever has asked for the `REST`, or send them."""
        sending = self._sent(scope, receive, send)
        await anext(sending, None)
        if REST in scope:
            scope[REST] = sending
        else:
            await exhaust(sending)

    async def _sent(self, scope: Scope, receive: Receive, send: Send) -> AsyncGenerator[None, None]:
        """Wait for the stream to begin, send the status line, pause once, and send the events."""
        self._task, self._outlet = asyncio.current_task(), outlet_of(scope)
        listener = self._engine.listener.reader(self._log.record.dialect, resumed=self._after > 0)
        with (
            self._log.reader(),
            attached(listener) as self._listener,
            listening(self._outlet, receive, self._log) as self._gone,
        ):
            while not self._log.take(0):
                if self._gone():
                    return
                await self._log.wait(0)
            if self._fresh and (refusal := self._log.refusal):
                raise GenerationFailed(refusal)
            self.headers.update(stream_headers(self._log))
            self._fold()  # before the status line: a stream that is gone by now is still a 410
            self._send = scope.get("artesian.send", send)  # past those who look at the status line alone
            try:
                with self._sending:
                    await self._in_time(
                        send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                    )
                    del receive, send  # they hold on to all that the request came through
                    yield
                    await self._stream_response(self._send)
            except asyncio.CancelledError:
                if not (self._too_slow and self._task):
                    raise
                self._task.uncancel()
                await self._let_go()

    async def _stream_response(self, send: Send) -> None:
        """Send the events and the last word; the status line has gone before."""

        async def rest(message: Message) -> None:
            if message["type"] != "http.response.start":
                await self._in_time(send, message)

        await super()._stream_response(rest)

    async def _send_with_timeout(self, send: Send, message: Message) -> None:  # noqa: ARG002 - as sse-starlette has it
        await self._in_time(self._send, message)

    async def _in_time(self, send: Send, message: Message) -> None:
        """Send within `SEND_TIMEOUT`, by the process's watchdog: a cancel scope a batch would be a fifth of a delta."""
        self._sending.since = self._time()
        try:
            await send(message)
        finally:
            self._sending.since = None

    def _expire(self) -> None:
        self._too_slow = True
        if self._task:
            self._task.cancel()

    async def _let_go(self) -> None:
        logger.info("A reader was too slow and is let go", extra={"stream_id": self._log.stream_id})
        if self._outlet is None:
            raise SendTimeoutError
        self._outlet.hang_up()  # what was sent may never be read
        await asyncio.sleep(0)  # until uvicorn has heard of it

    async def _events(self) -> AsyncIterator[bytes]:
        log, encoder = self._log, self._encoder
        push = partial(self._push, self._outlet) if self._outlet else None
        with self._silence:
            self._silence.since = self._time()
            while True:
                try:
                    events = log.take(self._after)
                except Evicted:
                    yield encoder.reconnect()
                    return
                except ServiceError as error:  # the stream was dropped: for this reader it ends here
                    yield encoder.encode(self._after + 1, [_failed(error, partial=self._after > 1)])
                    return
                if events:
                    if data := self._encoded(events):
                        yield data
                    self._waiting = False
                    if isinstance(events[-1], _ENDS):
                        return
                    if len(events) == BATCH:
                        await asyncio.sleep(0)  # for others, and to hear whether anybody still reads
                elif self._silent:
                    self._silent = False
                    yield encoder.heartbeat
                elif self._gone():
                    return
                elif self._engine.closing:
                    yield encoder.reconnect()
                    return
                else:
                    self._waiting = True
                    await log.wait(self._after, push)
                    if self._broken:
                        raise self._broken

    def _push(self, outlet: Outlet, events: Sequence[Event]) -> bool:
        """Write what was shown just now; false, it is the task's turn: the stream ends, or its reader is slow."""
        try:
            if isinstance(events[-1], _ENDS) or not outlet.ready:
                return False
            if data := self._encoded(events):
                outlet.write(data)
        except Exception as error:  # noqa: BLE001 - it is this reader's, and its task raises it
            self._broken = error
            return False
        return True

    def _encoded(self, events: Sequence[Event]) -> bytes:
        """Encode what comes next, and tell what a batch of Bedrock's has waited for in this process."""
        data = self._encoder.encode(self._after + 1, events)
        self._after += len(events)
        if data:
            self._silence.since = now = self._time()
            self._silent = False
            if self._waiting and self._log.received_at is not None:
                self._listener.sent(now - self._log.received_at)
        return data

    def _fold(self) -> None:
        """Show the encoder what this reader has seen already."""
        seen = 0
        while seen < self._after:
            events = self._log.take(seen)[: self._after - seen]
            self._encoder.encode(seen + 1, events)
            seen += len(events)

    def _beat(self) -> None:
        self._silent = True
        self._log.wake()


async def _nowhere(_: Message) -> None:
    """Send nothing: nobody has asked yet."""


def _failed(error: ServiceError, *, partial: bool) -> Failed:
    return Failed(error.code.name, error.message, error.status, error.retryable, partial)


async def whole(receive: Receive, log: StreamLog) -> Done:
    """Wait for a stream's end, as its reader.

    Raises:
        Refused: the generation failed.
        ClientGone: nobody waits for the answer any more.
    """
    with log.reader(), listening(None, receive, log) as gone:
        while not (end := log.end):
            log.take(0)  # it may have been dropped
            if gone():
                raise ClientGone
            await log.wait(len(log.events))
    if isinstance(end, Failed):
        raise GenerationFailed(end)
    return end


@contextmanager
def listening(outlet: Outlet | None, receive: Receive, log: StreamLog) -> Iterator[Callable[[], bool]]:
    """While the block lasts, hear the client leave, which wakes the log's readers: a handler is not told of it."""
    if outlet:
        outlet.departures.append(log.wake)
        try:
            yield lambda: outlet.left
        finally:
            outlet.departures.remove(log.wake)
        return
    leaving = asyncio.ensure_future(disconnected(receive))
    leaving.add_done_callback(lambda _: log.wake())
    try:
        yield leaving.done
    finally:
        leaving.cancel()
