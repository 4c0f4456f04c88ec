"""An answer before it has a wire: its blocks, and the pieces in which they are said."""

from typing import Any, Literal

from msgspec import Struct

BlockKind = Literal["text", "thinking", "redacted", "call", "server_call", "server_result"]


class Block(Struct, frozen=True):
    """One block of an answer. `text` is its text, its reasoning, or a call's arguments as JSON.

    `signature` belongs to reasoning, `id` and `name` to calls, `citation` to a text that quotes a document.
    """

    index: int
    kind: BlockKind
    text: str = ""
    signature: str = ""
    id: str = ""
    name: str = ""
    citation: dict[str, Any] | None = None


class Piece(Struct, frozen=True):
    """A part of a block as it is said. `first` and `last` tell whether the block opens or closes with it."""

    block: Block
    text: str
    tokens: int
    first: bool
    last: bool


class LocalUsage(Struct, frozen=True):
    """Tokens of a whole answer; `input` excludes cached ones."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All of them, cached ones included, as Bedrock adds them up."""
        return self.input + self.output + self.cache_read + self.cache_write

    @property
    def prompt(self) -> int:
        """All of the request, cached or not."""
        return self.input + self.cache_read + self.cache_write


class End(Struct, frozen=True):
    """How an answer ended. `trace` is a guardrail's, in Converse's shape."""

    stop: str
    usage: LocalUsage
    sequence: str | None = None
    trace: dict[str, Any] | None = None
    latency_ms: int = 0
    first_byte_ms: int = 0
