"""An answer, independent of the wire format: its blocks, their pieces, and its end."""

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
    """A part of a block. `first` and `last`: the block opens or closes with it."""

    block: Block
    text: str
    tokens: int
    first: bool
    last: bool


class LocalUsage(Struct, frozen=True):
    """Tokens of a whole answer; `input` excludes cached tokens."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """The sum, cached tokens included, as Bedrock computes it."""
        return self.input + self.output + self.cache_read + self.cache_write

    @property
    def prompt(self) -> int:
        """The tokens of the request, cached or not."""
        return self.input + self.cache_read + self.cache_write


class End(Struct, frozen=True):
    """How an answer ended. `trace`: the guardrail's trace in Converse's format."""

    stop: str
    usage: LocalUsage
    sequence: str | None = None
    trace: dict[str, Any] | None = None
    latency_ms: int = 0
    first_byte_ms: int = 0
