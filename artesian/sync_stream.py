"""One stream, read by a program that waits; and the connections that it and the other calls go over."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Self

import httpx

from .answer import Answer
from .base_stream import BaseStream
from .calls import CANCEL_S, Call, Service, cancelling, read_answer
from .errors import ArtesianError
from .events import Event, Text
from .reading import Reading
from .values import Snapshot, read_snapshot


class Wire:
    """The way to a service. It closes what it opened itself."""

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
        """Make a call, and give what is answered.

        Raises:
            ArtesianError: it was refused, or came to nothing.
        """
        try:
            response = self._http.request(**self.service.request(call))
        except httpx.RequestError as error:
            raise self.service.failure(error) from error
        return read_answer(response)

    def open(self, call: Call) -> httpx.Response:
        """Make a call whose answer is read as it comes."""
        return self._http.send(self._http.build_request(**self.service.request(call)), stream=True)

    def stream(self, begin: Call) -> "Stream":
        """Make a stream of what a call asks for."""
        return Stream(self, Reading(self.service, begin, backoff_s=self.backoff_s))


class Stream(BaseStream):
    """An answer as it comes: `with artesian.stream(…) as stream: for event in stream: …`.

    Leaving the block before the end cancels the generation, unless `detach` was called.
    """

    def __init__(self, wire: Wire, reading: Reading, *, cancels: bool = True) -> None:
        super().__init__(reading, cancels=cancels)
        self._wire = wire
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes]  # there is one while there is a response

    def __enter__(self) -> Self:
        """Ask, and wait until the service has begun to answer.

        Raises:
            ArtesianError: it was refused, or there is no service.
        """
        try:
            while not (self._reading.connected or self._reading.over):
                self._connect()
        except BaseException:
            self._leave()
            raise
        self._reading.check()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up, and cancel what is still being generated."""
        self._leave()

    def _leave(self) -> None:
        self._hang_up()
        if self._cancels and self.stream_id and not self._reading.over:
            with suppress(ArtesianError):  # who cannot be told will notice that nobody reads
                self._wire.ask(cancelling(self.stream_id, timeout_s=CANCEL_S))

    def __iter__(self) -> Iterator[Event]:
        """Go through the events."""
        return self

    def __next__(self) -> Event:
        """Wait for the next event.

        Raises:
            ArtesianError: the stream failed, or the way to it is lost for good.
        """
        while (event := self._reading.take()) is None:
            if self._reading.over:
                self._hang_up()
                raise StopIteration
            self._go_on()
        return event

    def texts(self) -> Iterator[str]:
        """Go through the pieces of the text alone."""
        return (event.text for event in self if isinstance(event, Text))

    def answer(self) -> Answer:
        """Read to the end, and give the whole answer.

        Raises:
            ArtesianError: as for the events; or the stream was read from its middle, so that there is no whole.
        """
        for _ in self:
            pass
        return self._reading.answer()

    def cancel(self) -> Snapshot:
        """Stop the model. The events go on to the end, whose `stop_reason` is `cancelled`."""
        return read_snapshot(self._wire.ask(cancelling(self.stream_id)))

    def _go_on(self) -> None:
        """Read once, or try once to come back."""
        if self._response is None:
            self._connect()
            return
        try:
            chunk = next(self._chunks, b"")
        except httpx.RequestError as error:
            self._reading.broke(error)
        else:
            self._reading.feed(chunk) if chunk else self._reading.ended()
        if not self._reading.connected:
            self._hang_up()

    def _connect(self) -> None:
        time.sleep(self._reading.delay)
        try:
            self._response = self._wire.open(self._reading.call())
            if not self._reading.accepts(self._response):
                self._response.read()
                self._reading.refused(self._response)
        except httpx.RequestError as error:
            self._reading.broke(error)
        if self._reading.connected and self._response:
            self._chunks = self._response.iter_bytes()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
