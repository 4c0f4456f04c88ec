"""A request in our own terms, whatever the dialect it came in.

Values only: every dialect parses to `Request`, every family builds its body from it, and a journal keeps it (as
MessagePack) so that another process can go on with a generation.
"""

import sys
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

LARGE_BYTES = 1_000_000
"""A larger request is encoded, hashed and encrypted in a thread: 1 MB takes some milliseconds of the event loop."""

_SCALAR_BYTES = 32  # an integer or a float with its slot; measured with CPython 3.11


class _Value(Struct, frozen=True, tag_field="type"):
    """Immutable; blocks carry their `type` as on the native wire."""


class Text(_Value, frozen=True, tag="text"):
    """A piece of text."""

    text: str


class Image(_Value, frozen=True, tag="image"):
    """An image: `data` is base64, `media_type` as `image/png`."""

    media_type: str
    data: str


class Document(_Value, frozen=True, tag="document"):
    """A document: `data` is base64, `media_type` as `application/pdf`."""

    media_type: str
    data: str
    name: str = "document"
    context: str | None = None
    """What the model should know of it, where the model takes that."""
    citations: bool = False
    """Whether the answer should cite it, where the model can."""


class ToolUse(_Value, frozen=True, tag="tool_use"):
    """A call the model made in an earlier turn."""

    id: str
    name: str
    input: dict[str, Any]


class ToolResult(_Value, frozen=True, tag="tool_result"):
    """The answer to a call."""

    tool_use_id: str
    content: tuple["Text | Image | Document", ...] = ()
    is_error: bool = False


class ReasoningBlock(_Value, frozen=True, tag="reasoning"):
    """Reasoning of an earlier turn, handed back unchanged: `text` with `signature`, or `redacted` (base64)."""

    text: str | None = None
    signature: str | None = None
    redacted: str | None = None


class CachePoint(_Value, frozen=True, tag="cache_point"):
    """Everything before it may be cached. `ttl` is `5m` or `1h`; None: Bedrock's default."""

    ttl: str | None = None


Block = Text | Image | Document | ToolUse | ToolResult | ReasoningBlock | CachePoint


class Message(Struct, frozen=True):
    """One turn. Content is never empty."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


class Tool(_Value, frozen=True, tag="tool"):
    """A tool the model may call; `input_schema` is JSON Schema with an object at its root."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ToolChoice(Struct, frozen=True):
    """`auto`, `any` (some tool), `none`, or `tool` with the name of the one that must be called."""

    mode: Literal["auto", "any", "none", "tool"]
    name: str | None = None


EFFORT_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 24576, "max": 32768}
"""Tokens of reasoning that an effort comes to; 1,024 is the least that Claude takes (bedrock-runtime, 2026-11)."""


class Reasoning(Struct, frozen=True):
    """How much to reason: one of the two, or neither for the model's own measure; `enabled` false: not at all."""

    effort: str | None = None
    budget_tokens: int | None = None
    enabled: bool = True
    display: str | None = None
    """Claude's `summarized` or `omitted`: whether the reasoning is shown, where the model takes that."""

    @property
    def budget(self) -> int:
        """The tokens it may take: what was said, or what an effort comes to for models that want a number."""
        return self.budget_tokens or EFFORT_BUDGETS.get(self.effort or "medium", EFFORT_BUDGETS["medium"])


class Guardrail(Struct, frozen=True):
    """A guardrail to apply. `trace` is `enabled`, `disabled` or `enabled_full`."""

    id: str
    version: str
    trace: str | None = None
    stream_mode: Literal["sync", "async"] | None = None


Api = Literal["auto", "converse", "invoke"]


class Request(Struct, frozen=True):
    """What to ask of a model. None: left to the model; families send only what is set."""

    model_id: str
    messages: tuple[Message, ...]
    system: tuple[Text | CachePoint, ...] = ()
    max_tokens: int | None = None
    bounded: bool = False
    """Whether `max_tokens` must reach the model, because a key's ceiling demands it."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[Tool | CachePoint, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    guardrail: Guardrail | None = None
    output_schema: dict[str, Any] | None = None
    output_schema_name: str | None = None
    api: Api = "auto"
    extra: dict[str, Any] = {}
    beta: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    fault: str | None = None

    @property
    def size_bytes(self) -> int:
        """The memory that the request's strings take; what holds them is not counted."""
        size = 0
        for message in self.messages:
            for block in message.content:
                size += sys.getsizeof(block.text) if type(block) is Text else _size_of(block)
        for part in (self.system, self.tools, self.stop_sequences, self.output_schema, self.extra, self.metadata):
            if part:
                size += _size_of(part)
        return size

    @property
    def system_text(self) -> str:
        """The system prompt as one text."""
        return "\n\n".join(block.text for block in self.system if isinstance(block, Text))


def _size_of(value: object) -> int:
    """Add up the strings of a value, however deep they are; it has at most 64 levels."""
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        return sum(sys.getsizeof(name) + _size_of(member) for name, member in value.items())
    if isinstance(value, list | tuple):
        return sum(_size_of(item) for item in value)
    if isinstance(value, Struct):
        return sum(_size_of(getattr(value, name)) for name in value.__struct_fields__)
    return _SCALAR_BYTES


OnInterruption = Literal["continue", "restart", "fail"]
OnDisconnect = Literal["cancel", "detach", "drain"]


class Policies(Struct, frozen=True):
    """What becomes of a generation when something happens to it."""

    on_interruption: OnInterruption = "fail"
    on_disconnect: OnDisconnect = "cancel"
    store: bool = True
