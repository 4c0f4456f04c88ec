"""The position in a stream, and how to resume it after a disconnect. No I/O: the two clients drive it.

A dropped connection is reopened after 1, 2, 4 and 8 seconds, or later where the server's `retry:` or `Retry-After`
says so. Any event or heartbeat resets the count of attempts.
"""

import json
from collections import deque
from collections.abc import Sequence

import httpx

from .answer import Answer, AnswerBuilder
from .calls import Call, Service, follow, never_sent
from .errors import ArtesianError, ConnectionLost, from_event, from_response
from .events import Connection, Done, Event, Start, read_event
from .sse import Reader, Sent, TooLong

BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_S = 60.0
_PROXY_ERRORS = {502, 503, 504}  # from a proxy that cannot reach the service


class Cursor:
    """One stream: started by `begin`, or an existing one.

    `delay`: seconds before the next connection attempt; `over`: nothing more can be read. A given `backoff_s` overrides
    what the server asks for.
    """

    def __init__(
        self,
        service: Service,
        begin: Call | None = None,
        *,
        stream_id: str = "",
        after: int = 0,
        backoff_s: Sequence[float] | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.after = after
        self.request_id: str | None = None
        self.connected = False
        self.over = False
        self.delay = 0.0
        self.built = AnswerBuilder()
        self._service = service
        self._begin = begin
        self._backoff_s = BACKOFF_S if backoff_s is None else tuple(backoff_s)
        self._follows_server = backoff_s is None
        self._read = after  # the last event received; `after` is the last one returned
        self._tries = 0
        self._sent = False
        self._retry_s = 0.0
        self._sse = Reader()
        self._ready: deque[tuple[int, Event]] = deque()
        self._failure: ArtesianError | None = None

    def call(self) -> Call:
        """Return the next request: the first one, or the resume."""
        return follow(self.stream_id, self._read) if self._begin is None or self.stream_id else self._begin

    def take(self) -> Event | None:
        """Return the next received event, if any.

        Raises:
            ArtesianError: the stream has failed, and every received event was returned.
        """
        if self._ready:
            number, event = self._ready.popleft()
            self.after = number or self.after
            self.built.add(event)
            return event
        self.check()
        return None

    def check(self) -> None:
        """Raise the stream's failure, if it has failed."""
        if self._failure:
            self._failure.text = self.built.text
            self._failure.partial = bool(self.built.content)
            raise self._failure

    def answer(self) -> Answer:
        """Return the whole answer.

        Raises:
            ArtesianError: its end was not received.
        """
        answer = self.built.answer(self.stream_id)
        if answer is None:
            raise ArtesianError(
                "This stream was attached after its last event: there is no answer in it.", code="incomplete"
            )
        return answer

    def accepts(self, response: httpx.Response) -> bool:
        """Check a response's status and headers. False: it is an error, described by its body."""
        self._sent = True
        self.request_id = response.headers.get("x-request-id")
        if response.status_code == httpx.codes.NO_CONTENT:  # no event after ours
            self.over = True
            return True
        if response.status_code != httpx.codes.OK or not response.headers.get("content-type", "").startswith(
            "text/event-stream"
        ):
            return False
        self.stream_id = response.headers.get("x-stream-id", self.stream_id)
        if self._tries:
            self._ready.append((0, Connection("restored", self._tries, len(self._backoff_s))))
        self._sse, self.connected = Reader(), True
        return True

    def refused(self, response: httpx.Response) -> None:
        """Record an HTTP error: final, unless another attempt may reach another replica."""
        error = from_response(response.status_code, response.headers, response.content)
        if error.code == "draining" or (error.code == "unexpected_answer" and error.status in _PROXY_ERRORS):
            self._lost(error, error.retry_after or 0)
        else:
            self._fail(error)

    def broke(self, error: httpx.RequestError) -> None:
        """Record a failed attempt or a broken connection."""
        if never_sent(error) and not self._sent:
            self._fail(self._service.failure(error))
            return
        self._sent = True
        self._lost(ConnectionLost(self._service.failure(error).message, retryable=True), self._retry_s)

    def ended(self) -> None:
        """Record that the connection was closed before the stream's end."""
        self._cut("The connection was closed before the answer's end.")

    def feed(self, chunk: bytes) -> None:
        """Parse received bytes."""
        comments = self._sse.comments
        try:
            events = self._sse.feed(chunk)
        except TooLong:
            self._fail(_unreadable("an event has no end"))
            return
        if events or self._sse.comments > comments:
            self._tries = 0
        if self._sse.retry_s is not None:
            self._retry_s = self._sse.retry_s
        for event in events:
            if self.connected:
                self._accept_event(event)

    def _accept_event(self, sent: Sent) -> None:
        if sent.name == "reconnect":
            self._cut("The server is shutting down and asked to reconnect.")
            return
        digits = sent.id.rpartition("-")[2]
        number = int(digits) if digits.isascii() and digits.isdecimal() else 0
        if 0 < number <= self._read:
            return  # a duplicate
        if number > self._read + 1:
            self._cut("An event was lost.")
            return
        try:
            members = json.loads(sent.data)
            event = None if sent.name == "message" and "error" in members else read_event(sent.name, members)
        except (ValueError, KeyError, TypeError):
            self._fail(_unreadable("an event is not from Artesian"))
            return
        self._read = number or self._read
        if event is None:
            self._fail(from_event(members, self.request_id))
            return
        self._ready.append((number, event))
        if isinstance(event, Start):
            self.stream_id = event.stream_id
        elif isinstance(event, Done):
            self.over, self.connected = True, False

    def _cut(self, why: str) -> None:
        self._lost(ConnectionLost(why, retryable=True), self._retry_s)

    def _lost(self, failure: ArtesianError, wait_s: float) -> None:
        """Schedule a reconnect, or fail with `failure`."""
        self.connected = False
        if self._tries >= len(self._backoff_s):
            self._fail(failure)
            return
        self.delay = self._backoff_s[self._tries]
        if self._follows_server:
            self.delay = max(self.delay, min(wait_s, _LONGEST_WAIT_S))
        self._tries += 1
        lost = Connection("lost", self._tries, len(self._backoff_s), self.delay, failure.message)
        self._ready.append((0, lost))

    def _fail(self, failure: ArtesianError) -> None:
        self.connected, self.over = False, True
        failure.stream_id = failure.stream_id or self.stream_id or None
        self._failure = failure


def _unreadable(why: str) -> ArtesianError:
    return ArtesianError(f"The stream cannot be read: {why}.", code="unexpected_answer")
