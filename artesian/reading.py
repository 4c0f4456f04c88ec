"""How far a stream has been read, and how to go on with it after a break. No I/O: the two clients drive it.

A dropped connection is come back to after 1, 2, 4 and 8 seconds, or later where the server's `retry:` or `Retry-After`
says so. Whatever comes, an event or a heartbeat, is a sign that the way is open, and the count begins anew.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence

import httpx

from .answer import Answer, Fold
from .calls import Call, Service, following, never_sent
from .errors import ArtesianError, ConnectionLost, from_event, from_response
from .events import Connection, Done, Event, Start, read_event
from .sse import Reader, Sent, TooLong

BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_S = 60.0
_ON_THE_WAY = {502, 503, 504}  # of a proxy that does not reach the service


class Reading:
    """One stream: what `begin` asks for, or one that is there already.

    `delay` is how long to wait before the next try; `over`: there is nothing more to read. `backoff_s`, where it is
    given, is taken as it is, whatever the server asks for.
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
        self.said = Fold()
        self._service = service
        self._begin = begin
        self._backoff_s = BACKOFF_S if backoff_s is None else tuple(backoff_s)
        self._obedient = backoff_s is None
        self._read = after  # `after` is what was handed out, this is what has come
        self._tries = 0
        self._sent = False
        self._retry_s = 0.0
        self._sse = Reader()
        self._ready: deque[tuple[int, Event]] = deque()
        self._failure: ArtesianError | None = None

    def call(self) -> Call:
        """What to send now: the question, or where we have come to."""
        return following(self.stream_id, self._read) if self._begin is None or self.stream_id else self._begin

    def take(self) -> Event | None:
        """Hand out the next event that has come, if any.

        Raises:
            ArtesianError: all that came has been handed out, and the stream has failed.
        """
        if self._ready:
            number, event = self._ready.popleft()
            self.after = number or self.after
            self.said.add(event)
            return event
        self.check()
        return None

    def check(self) -> None:
        """Raise the stream's failure, if it has failed."""
        if self._failure:
            self._failure.text = self.said.text
            self._failure.partial = bool(self.said.content)
            raise self._failure

    def answer(self) -> Answer:
        """Put together the whole answer.

        Raises:
            ArtesianError: its end has not come.
        """
        answer = self.said.answer(self.stream_id)
        if answer is None:
            raise ArtesianError("This stream has been read from its end: there is no answer in it.", code="incomplete")
        return answer

    def accepts(self, response: httpx.Response) -> bool:
        """Look at a response's head. False: it is no stream, and its body says why."""
        self._sent = True
        self.request_id = response.headers.get("x-request-id")
        if response.status_code == httpx.codes.NO_CONTENT:  # nothing comes after what we have
            self.over = True
            return True
        if response.status_code != httpx.codes.OK or not _is_stream(response.headers):
            return False
        self.stream_id = response.headers.get("x-stream-id", self.stream_id)
        if self._tries:
            self._ready.append((0, Connection("restored", self._tries, len(self._backoff_s))))
        self._sse, self.connected = Reader(), True
        return True

    def refused(self, response: httpx.Response) -> None:
        """Take an HTTP error: it is the end, unless another try may find another server."""
        error = from_response(response.status_code, response.headers, response.content)
        if error.code == "draining" or (error.code == "unexpected_answer" and error.status in _ON_THE_WAY):
            self._lost(error, error.retry_after or 0)
        else:
            self._fail(error)

    def broke(self, error: httpx.RequestError) -> None:
        """Take note that a try failed, or that an open connection broke."""
        if never_sent(error) and not self._sent:
            self._fail(self._service.failure(error))
            return
        self._sent = True
        self._lost(ConnectionLost(self._service.failure(error).message, retryable=True), self._retry_s)

    def ended(self) -> None:
        """Take note that the connection was closed before the stream's end."""
        self._cut("The connection was closed before the answer's end.")

    def feed(self, chunk: bytes) -> None:
        """Take some of what came."""
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
                self._take_in(event)

    def _take_in(self, sent: Sent) -> None:
        if sent.name == "reconnect":
            self._cut("The server goes, and asks us to come back.")
            return
        number = _number(sent.id)
        if 0 < number <= self._read:
            return  # we have it already
        if number > self._read + 1:
            self._cut("Something on the way lost an event.")
            return
        try:
            told = json.loads(sent.data)
            event = None if sent.name == "message" and "error" in told else read_event(sent.name, told)
        except (ValueError, KeyError, TypeError):
            self._fail(_unreadable("an event is none of Artesian's"))
            return
        self._read = number or self._read
        if event is None:
            self._fail(from_event(told, self.request_id))
            return
        self._ready.append((number, event))
        if isinstance(event, Start):
            self.stream_id = event.stream_id
        elif isinstance(event, Done):
            self.over, self.connected = True, False

    def _cut(self, why: str) -> None:
        self._lost(ConnectionLost(why, retryable=True), self._retry_s)

    def _lost(self, failure: ArtesianError, wait_s: float) -> None:
        """Come back later, or give up as `failure`."""
        self.connected = False
        if self._tries >= len(self._backoff_s):
            self._fail(failure)
            return
        self.delay = self._backoff_s[self._tries]
        if self._obedient:
            self.delay = max(self.delay, min(wait_s, _LONGEST_WAIT_S))
        self._tries += 1
        lost = Connection("lost", self._tries, len(self._backoff_s), self.delay, failure.message)
        self._ready.append((0, lost))

    def _fail(self, failure: ArtesianError) -> None:
        self.connected, self.over = False, True
        failure.stream_id = failure.stream_id or self.stream_id or None
        self._failure = failure


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").startswith("text/event-stream")


def _number(event_id: str) -> int:
    """The number in `<stream_id>-<n>`; 0 where there is none."""
    number = event_id.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def _unreadable(why: str) -> ArtesianError:
    return ArtesianError(f"The stream cannot be read: {why}.", code="unexpected_answer")
