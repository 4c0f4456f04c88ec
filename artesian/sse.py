"""Parses Server-Sent Events (WHATWG HTML, section 9.2): bytes in, events out, wherever the bytes are split.

Only LF, CR and CRLF end a line; U+2028, U+0085 and similar characters are text.
"""

import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_LONGEST = 1 << 26  # bytes of one event: twice the largest possible response


class TooLong(ValueError):
    """An event exceeds the limit."""


class Sent(NamedTuple):
    """One event as received. `id` is its own, not that of an earlier event."""

    name: str
    data: str
    id: str


class Reader:
    """Parses one response. `retry_s` is the server's reconnection delay."""

    def __init__(self, longest_bytes: int = _LONGEST) -> None:
        self.retry_s: float | None = None
        self.comments = 0
        self._rest = b""
        self._after_cr = False
        self._begun = False
        self._name = ""
        self._id = ""
        self._data: list[str] = []
        self._size = 0
        self._longest_bytes = longest_bytes

    def feed(self, chunk: bytes) -> list[Sent]:
        """Parse bytes, and return the events that they complete.

        Raises:
            TooLong: an event exceeds the limit.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        events = [event for line in lines if (event := self._line(line)) is not None]
        if self._size + len(self._rest) > self._longest_bytes:
            raise TooLong
        return events

    def _line(self, line: bytes) -> Sent | None:
        if not self._begun:
            line, self._begun = line.removeprefix(_BOM), True
        if not line:
            return self._dispatch()
        self._size += len(line)
        name, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdecimal():
                self.retry_s = int(value) / 1000
        return None

    def _dispatch(self) -> Sent | None:
        event = Sent(self._name or "message", "\n".join(self._data), self._id) if self._data else None
        self._name, self._id, self._data, self._size = "", "", [], 0
        return event
