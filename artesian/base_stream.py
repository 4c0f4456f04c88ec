"""The part of a stream that both clients share: it does no I/O."""

from .cursor import Cursor
from .values import Json


class BaseStream:
    """A stream's id, position and text so far, and `detach`."""

    def __init__(self, cursor: Cursor, *, cancels: bool) -> None:
        self._cursor = cursor
        self._cancels = cancels

    @property
    def stream_id(self) -> str:
        """The stream's id, for `attach` and `cancel`."""
        return self._cursor.stream_id

    @property
    def after(self) -> int:
        """The number of the last event that was returned, for `attach(stream_id, after=…)`."""
        return self._cursor.after

    @property
    def text(self) -> str:
        """The text so far."""
        return self._cursor.built.text

    @property
    def content(self) -> list[Json]:
        """The content blocks so far."""
        return self._cursor.built.content

    def detach(self) -> str:
        """Keep the generation running when the block ends, and return the stream's id."""
        self._cancels = False
        return self.stream_id
