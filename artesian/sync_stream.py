"""The synchronous stream, and the connections of the synchronous client."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Self

import httpx

from .answer import Answer
from .base_stream import BaseStream
from .calls import CANCEL_S, Call, Service, cancel, read_answer
from .cursor import Cursor
from .errors import ArtesianError
from .events import Event, Text
from .values import Snapshot, read_snapshot


class Wire:
    """The HTTP connections to a service; closes the client that it opened itself."""

    def __init__(self, service: Service, http: httpx.Client | None, backoff_s: Sequence[float] | None) -> None:
        self.service = service
        self.backoff_s = backoff_s
        self._owned = http is None
        self._http = http or httpx.Client(**service.client_options())

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def ask(self, call: Call) -> Any:
        """Send a request and return the JSON of its response.

        Raises:
            ArtesianError: it was rejected, or the connection failed.
        """
        try:
            response = self._http.request(**self.service.request(call))
        except httpx.RequestError as error:
            raise self.service.failure(error) from error
        return read_answer(response)

    def open(self, call: Call) -> httpx.Response:
        """Send a request whose response is streamed."""
        return self._http.send(self._http.build_request(**self.service.request(call)), stream=True)

    def stream(self, begin: Call) -> "Stream":
        """Return the stream that a request starts."""
        return Stream(self, Cursor(self.service, begin, backoff_s=self.backoff_s))


class Stream(BaseStream):
    """A streamed answer: `with artesian.stream(…) as stream: for event in stream: …`.

    Leaving the block before the end cancels the generation, unless `detach` was called.
    """

    def __init__(self, wire: Wire, cursor: Cursor, *, cancels: bool = True) -> None:
        super().__init__(cursor, cancels=cancels)
        self._wire = wire
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes]  # set while there is a response

    def __enter__(self) -> Self:
        """Send the request and wait for the start of the response.

        Raises:
            ArtesianError: it was rejected, or no service answers.
        """
        try:
            while not (self._cursor.connected or self._cursor.over):
                self._connect()
        except BaseException:
            self._end()
            raise
        self._cursor.check()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, and cancel the generation if it still runs."""
        self._end()

    def _end(self) -> None:
        self._disconnect()
        if self._cancels and self.stream_id and not self._cursor.over:
            with suppress(ArtesianError):  # the service notices the disconnect by itself
                self._wire.ask(cancel(self.stream_id, timeout_s=CANCEL_S))

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events."""
        return self

    def __next__(self) -> Event:
        """Wait for the next event.

        Raises:
            ArtesianError: the stream failed, or its connection could not be restored.
        """
        while (event := self._cursor.take()) is None:
            if self._cursor.over:
                self._disconnect()
                raise StopIteration
            self._advance()
        return event

    def texts(self) -> Iterator[str]:
        """Iterate over the text deltas only."""
        return (event.text for event in self if isinstance(event, Text))

    def answer(self) -> Answer:
        """Read to the end and return the whole answer.

        Raises:
            ArtesianError: as for the events; or the stream was not read from its first event.
        """
        for _ in self:
            pass
        return self._cursor.answer()

    def cancel(self) -> Snapshot:
        """Cancel the generation. The last event then has the `stop_reason` `cancelled`."""
        return read_snapshot(self._wire.ask(cancel(self.stream_id)))

    def _advance(self) -> None:
        """Read one chunk, or reconnect once."""
        if self._response is None:
            self._connect()
            return
        try:
            chunk = next(self._chunks, b"")
        except httpx.RequestError as error:
            self._cursor.broke(error)
        else:
            self._cursor.feed(chunk) if chunk else self._cursor.ended()
        if not self._cursor.connected:
            self._disconnect()

    def _connect(self) -> None:
        time.sleep(self._cursor.delay)
        try:
            self._response = self._wire.open(self._cursor.call())
            if not self._cursor.accepts(self._response):
                self._response.read()
                self._cursor.refused(self._response)
        except httpx.RequestError as error:
            self._cursor.broke(error)
        if self._cursor.connected and self._response:
            self._chunks = self._response.iter_bytes()
        else:
            self._disconnect()

    def _disconnect(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
