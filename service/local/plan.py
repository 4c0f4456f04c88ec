"""What answering one request takes, whichever API it came by: the prompt, the manner, the two ways to write it."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from service.local.answer import Block, End, Piece
from service.local.prompt import LocalPrompt
from service.local.text.pieces import Manner
from service.local.wire.frames import Json, LocalFrame


class Writer(Protocol):
    """Writes a streamed answer's frames."""

    def begin(self) -> list[LocalFrame]:
        """Open the answer."""

    def piece(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece."""

    def end(self, end: End) -> list[LocalFrame]:
        """Close the answer."""


class Plan(Struct, frozen=True):
    """How one request is answered. `writer` begins a streamed answer: it is told the input tokens."""

    prompt: LocalPrompt
    manner: Manner
    ids: str
    writer: Callable[["Opening"], Writer]
    whole: Callable[[list[Block], End], Json]
    wild: LocalFrame
    headers: tuple[tuple[str, str], ...] = ()


class Opening(Struct, frozen=True):
    """What a stream's first frame may tell: what the request cost, and when it came (seconds since 1970)."""

    input_tokens: int
    cache_read: int
    cache_write: int
    created: int
