"""The asynchronous stream, and the connections of the asynchronous client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Self

import anyio
import httpx

from .answer import Answer
from .base_stream import BaseStream
from .calls import CANCEL_S, Call, Service, cancel, read_answer
from .cursor import Cursor
from .errors import ArtesianError
from .events import Event, Text
from .values import Snapshot, read_snapshot


class AsyncWire:
    """The HTTP connections to a service; closes the client that it opened itself."""

    def __init__(self, service: Service, http: httpx.AsyncClient | None, backoff_s: Sequence[float] | None) -> None:
        self.service = service
        self.backoff_s = backoff_s
        self._owned = http is None
        self._http = http or httpx.AsyncClient(**service.client_options())

    async def close(self) -> None:
        """Close the connections."""
        if self._owned:
            await self._http.aclose()

    async def ask(self, call: Call) -> Any:
        """Send a request and return the JSON of its response.

        Raises:
            ArtesianError: it was rejected, or the connection failed.
        """
        try:
            response = await self._http.request(**self.service.request(call))
        except httpx.RequestError as error:
            raise self.service.failure(error) from error
        return read_answer(response)

    async def open(self, call: Call) -> httpx.Response:
        """Send a request whose response is streamed."""
        return await self._http.send(self._http.build_request(**self.service.request(call)), stream=True)

    def stream(self, begin: Call) -> "AsyncStream":
        """Return the stream that a request starts."""
        return AsyncStream(self, Cursor(self.service, begin, backoff_s=self.backoff_s))


class AsyncStream(BaseStream):
    """A streamed answer: `async with artesian.stream(…) as stream: async for event in stream: …`.

    Leaving the block before the end cancels the generation, unless `detach` was called.
    """

    def __init__(self, wire: AsyncWire, cursor: Cursor, *, cancels: bool = True) -> None:
        super().__init__(cursor, cancels=cancels)
        self._wire = wire
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes]  # set while there is a response

    async def __aenter__(self) -> Self:
        """Send the request and wait for the start of the response.

        Raises:
            ArtesianError: it was rejected, or no service answers.
        """
        try:
            while not (self._cursor.connected or self._cursor.over):
                await self._connect()
        except BaseException:
            await self._end()
            raise
        self._cursor.check()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection, and cancel the generation if it still runs."""
        await self._end()

    async def _end(self) -> None:
        with anyio.move_on_after(CANCEL_S, shield=True):  # the task has often been cancelled
            await self._disconnect()
            if self._cancels and self.stream_id and not self._cursor.over:
                with suppress(ArtesianError):  # the service notices the disconnect by itself
                    await self._wire.ask(cancel(self.stream_id, timeout_s=CANCEL_S))

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event.

        Raises:
            ArtesianError: the stream failed, or its connection could not be restored.
        """
        while (event := self._cursor.take()) is None:
            if self._cursor.over:
                await self._disconnect()
                raise StopAsyncIteration
            await self._advance()
        return event

    def texts(self) -> AsyncIterator[str]:
        """Iterate over the text deltas only."""
        return (event.text async for event in self if isinstance(event, Text))

    async def answer(self) -> Answer:
        """Read to the end and return the whole answer.

        Raises:
            ArtesianError: as for the events; or the stream was not read from its first event.
        """
        async for _ in self:
            pass
        return self._cursor.answer()

    async def cancel(self) -> Snapshot:
        """Cancel the generation. The last event then has the `stop_reason` `cancelled`."""
        return read_snapshot(await self._wire.ask(cancel(self.stream_id)))

    async def _advance(self) -> None:
        """Read one chunk, or reconnect once."""
        if self._response is None:
            await self._connect()
            return
        try:
            chunk = await anext(self._chunks, b"")
        except httpx.RequestError as error:
            self._cursor.broke(error)
        else:
            self._cursor.feed(chunk) if chunk else self._cursor.ended()
        if not self._cursor.connected:
            await self._disconnect()

    async def _connect(self) -> None:
        await anyio.sleep(self._cursor.delay)
        try:
            self._response = await self._wire.open(self._cursor.call())
            if not self._cursor.accepts(self._response):
                await self._response.aread()
                self._cursor.refused(self._response)
        except httpx.RequestError as error:
            self._cursor.broke(error)
        if self._cursor.connected and self._response:
            self._chunks = self._response.aiter_bytes()
        else:
            await self._disconnect()

    async def _disconnect(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()
