"""The vocabulary of a stream: what Bedrock said, in our words, and what the log keeps of it.

Every family and Converse decode to `Delta`; a stream's log holds `Event`, numbered from 1. The values are immutable,
slotted and outside the garbage collector (they hold no cycles), and encode to MessagePack for a journal as they are.
"""

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, structs


class StopReason(StrEnum):
    """Why the model stopped, in our words (contract: docs/reference.md, "Stop reasons")."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    CONTENT_FILTERED = "content_filtered"
    GUARDRAIL_INTERVENED = "guardrail_intervened"
    CONTEXT_WINDOW_EXCEEDED = "context_window_exceeded"
    MALFORMED_OUTPUT = "malformed_output"
    CANCELLED = "cancelled"
    OTHER = "other"


class _Value(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """The common shape; `array_like` keeps a journal's record short."""


class TextDelta(_Value, frozen=True, tag="t"):
    """A piece of the answer's text. `index` is the 0-based content block. Never empty."""

    index: int
    text: str


class ReasoningDelta(_Value, frozen=True, tag="r"):
    """A piece of reasoning: exactly one of the three is set. `redacted` is base64, handed back unchanged."""

    index: int
    text: str | None = None
    signature: str | None = None
    redacted: str | None = None


class ToolCallStart(_Value, frozen=True, tag="c"):
    """The model calls a tool. `server`: Bedrock itself runs it and the caller must not."""

    index: int
    id: str
    name: str
    server: bool = False


class ToolCallDelta(_Value, frozen=True, tag="a"):
    """A piece of a tool call's arguments: JSON text as it comes, never empty."""

    index: int
    arguments: str


class ToolResultDelta(_Value, frozen=True, tag="o", gc=True):
    """What a tool that Bedrock itself ran answered: Converse's own list of `{text}` or `{json}`."""

    index: int
    tool_use_id: str
    content: list[dict[str, Any]]
    is_error: bool = False


class CitationDelta(_Value, frozen=True, tag="q", gc=True):
    """A citation of the text block `index`, in Converse's own shape."""

    index: int
    citation: dict[str, Any]


class GuardrailTrace(_Value, frozen=True, tag="g", gc=True):
    """A guardrail's trace, as Bedrock sent it."""

    trace: dict[str, Any]


class Usage(_Value, frozen=True, tag="u"):
    """Tokens so far, not since the last report. None: nobody reported it.

    `input_tokens` excludes cached tokens, as Bedrock counts. `reasoning_tokens` are part of `output_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False

    def merged(self, later: "Usage") -> "Usage":
        """Take what a later report of the same attempt says, and keep what it leaves out."""
        said = {name: value for name in _COUNTS if (value := getattr(later, name)) is not None}
        return structs.replace(self, **said, estimated=self.estimated or later.estimated)

    def plus(self, other: "Usage") -> "Usage":
        """Add another attempt's tokens; a number that only one of them knows stands alone, but for the total."""
        sums = {name: _sum(getattr(self, name), getattr(other, name)) for name in _COUNTS}
        if self.total_tokens is None or other.total_tokens is None:
            sums["total_tokens"] = None
        return Usage(**sums, estimated=self.estimated or other.estimated)


_COUNTS = tuple(name for name in Usage.__struct_fields__ if name != "estimated")


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


class Stop(_Value, frozen=True, tag="s"):
    """Why the model stopped. `raw` is its own word; `sequence` the stop sequence that hit, where the wire tells."""

    reason: StopReason
    raw: str | None
    sequence: str | None = None


class Timing(_Value, frozen=True, tag="m"):
    """Bedrock's own clock, in milliseconds."""

    latency_ms: int | None = None
    first_byte_ms: int | None = None


class Opened(_Value, frozen=True, tag="n"):
    """The model has begun (a messageStart): commits the status line, but shows nothing."""


class Unknown(_Value, frozen=True, tag="x"):
    """A kind of chunk or delta we have not met: counted, never shown."""

    kind: str


Delta = (
    TextDelta
    | ReasoningDelta
    | ToolCallStart
    | ToolCallDelta
    | ToolResultDelta
    | CitationDelta
    | GuardrailTrace
    | Usage
    | Stop
    | Timing
    | Opened
    | Unknown
)
"""What a decoder yields."""

SHOWN = (TextDelta, ReasoningDelta, ToolCallStart, ToolCallDelta, ToolResultDelta, CitationDelta)
"""The deltas that are text in the contract's sense: anything of the answer that a reader may have been sent."""


class Start(_Value, frozen=True, tag="S"):
    """A stream's first event."""

    stream_id: str
    model_id: str
    api: str
    backend: str


class Progress(_Value, frozen=True, tag="P"):
    """How far along the answer is: at most one a second. Rates are tokens a second.

    `progress` is an estimate that never falls and is 1 only at the end. `estimated`: the tokens were counted by us.
    """

    progress: float
    output_tokens: int
    tokens_per_second: float
    instantaneous_rate: float
    is_slow: bool
    message: str
    estimated: bool


State = Literal["queued", "retrying", "fallback", "reconnecting", "continued", "restarted", "not_resumable", "slow"]


class Status(_Value, frozen=True, tag="T"):
    """What is going on, for the reader. `delay` is in seconds; the rest where it applies."""

    state: State
    attempt: int | None = None
    delay: float | None = None
    place: int | None = None
    model_id: str | None = None
    message: str | None = None


class Metrics(_Value, frozen=True, tag="M"):
    """What one generation cost in time: seconds, but for the two that Bedrock reports in milliseconds.

    `gateway_time` is what we ourselves added: the time spent neither waiting for Bedrock nor between retries.
    """

    time_to_first_token: float | None = None
    latency: float | None = None
    gateway_time: float | None = None
    bedrock_latency_ms: int | None = None
    bedrock_first_byte_ms: int | None = None
    attempts: int = 1
    region: str | None = None
    model_id: str | None = None


class Done(_Value, frozen=True, tag="D"):
    """The end of a stream that ended well, or was cancelled."""

    stop_reason: StopReason
    raw_stop_reason: str | None
    usage: Usage
    metrics: Metrics
    stop_sequence: str | None = None


class Failed(_Value, frozen=True, tag="F"):
    """The end of a stream that failed. `partial`: some of the answer had been shown."""

    code: str
    message: str
    status: int
    retryable: bool
    partial: bool
    retry_after: float | None = None
    retried: bool = False
    """Whether we have already tried again, so that a client should not."""


Event = (
    Start
    | TextDelta
    | ReasoningDelta
    | ToolCallStart
    | ToolCallDelta
    | ToolResultDelta
    | CitationDelta
    | GuardrailTrace
    | Progress
    | Status
    | Done
    | Failed
)
"""What a stream's log holds; each is one event of every dialect's count."""
