"""What a stream is for its reader, in whichever client."""

from .reading import Reading
from .values import Json


class Told:
    """The part of a stream that needs no waiting."""

    def __init__(self, reading: Reading, *, cancels: bool) -> None:
        self._reading = reading
        self._cancels = cancels

    @property
    def stream_id(self) -> str:
        """Its id, by which `attach` and `cancel` find it."""
        return self._reading.stream_id

    @property
    def after(self) -> int:
        """The number of the last event that was handed out: where `attach` would go on."""
        return self._reading.after

    @property
    def text(self) -> str:
        """The text so far."""
        return self._reading.said.text

    @property
    def content(self) -> list[Json]:
        """The content blocks so far."""
        return self._reading.said.content

    def detach(self) -> str:
        """Let the generation go on when the block is left, and give the id to come back with."""
        self._cancels = False
        return self.stream_id
