"""The plan of one answer, independent of the API: the prompt, the chunk sizes, and the writers of the answer."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from service.local.answer import Block, End, Piece
from service.local.prompt import LocalPrompt
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


class Writer(Protocol):
    """Writes one answer: the frames of a stream, or a whole body."""

    def begin(self) -> list[LocalFrame]:
        """Write the frames before the first piece."""

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the frames of a piece."""

    def end(self, end: End) -> list[LocalFrame]:
        """Write the frames after the last piece."""

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""


class StreamStart(Struct, frozen=True):
    """What the first frame of a stream can contain: input tokens, and when the request arrived (seconds since 1970)."""

    input_tokens: int
    cache_read: int
    cache_write: int
    created: int


class Plan(Struct, frozen=True):
    """How one request is answered.

    `id_prefix`: the first characters of the ids of tool calls. `unknown_frame`: a delta of a kind that no client knows.
    """

    prompt: LocalPrompt
    chunking: Chunking
    id_prefix: str
    make_writer: Callable[[StreamStart], Writer]

    unknown_frame: LocalFrame
    headers: tuple[tuple[str, str], ...] = ()
