"""The native wire as OpenAPI describes it. Nothing is built from these models: the tests hold the events to them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.deltas import StopReason


class _NativeShape(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_mode_override="serialization")


class UsageShape(_NativeShape):
    """Tokens over all attempts; null: nobody reported it."""

    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    total_tokens: int | None
    estimated: bool = Field(description="An attempt was cut before it reported, so some of it was counted by us")


class MetricsShape(_NativeShape):
    """Seconds, but for Bedrock's own clock in milliseconds."""

    time_to_first_token: float | None
    latency: float | None
    gateway_time: float | None = Field(description="What the service itself added")
    bedrock_latency_ms: int | None = None
    bedrock_first_byte_ms: int | None = None
    attempts: int
    region: str | None
    model_id: str | None = Field(description="The model that answered")


class StartShape(_NativeShape):
    """`start`: the stream's first event."""

    stream_id: str
    model_id: str
    api: Literal["converse", "invoke"]
    backend: Literal["local", "aws"]


class TextShape(_NativeShape):
    """Unnamed: a piece of the text."""

    text: str


class ReasoningShape(_NativeShape):
    """`reasoning`: a piece of it, its signature, or redacted reasoning (base64)."""

    text: str | None = None
    signature: str | None = None
    redacted: str | None = None


class ToolCallShape(_NativeShape):
    """`tool_call`: first the call, then its arguments, pieces of JSON text as they come."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    server: bool | None = Field(default=None, description="Bedrock runs this tool itself")


class ToolResultShape(_NativeShape):
    """`tool_result`: what a tool that Bedrock itself ran has answered."""

    index: int
    tool_use_id: str
    content: list[dict[str, Any]]
    is_error: bool


class ProgressShape(_NativeShape):
    """`progress`: at most one a second. `progress` never falls, and is 1 only at the end."""

    progress: float = Field(ge=0, le=1)
    output_tokens: int
    tokens_per_second: float
    instantaneous_rate: float
    is_slow: bool
    message: str
    estimated: bool


class StatusShape(_NativeShape):
    """`status`: what is going on."""

    state: Literal["queued", "retrying", "fallback", "reconnecting", "continued", "restarted", "not_resumable", "slow"]
    attempt: int | None = None
    delay: float | None = Field(default=None, description="Seconds")
    place: int | None = None
    model_id: str | None = None
    message: str | None = None


class DoneShape(_NativeShape):
    """Unnamed, the last event of a stream that ended well or was cancelled."""

    done: Literal[True]
    stop_reason: StopReason
    raw_stop_reason: str | None
    usage: UsageShape
    metrics: MetricsShape


class ErrorShape(_NativeShape):
    """Unnamed, the last event of a stream that failed."""

    error: str = Field(description="One sentence")
    code: str
    status: int
    retryable: bool
    partial: bool = Field(description="Some of the answer had been sent")
    stream_id: str


class AnswerShape(_NativeShape):
    """The answer of `stream: false`."""

    text: str
    model_id: str
    latency: float = Field(description="Seconds")
    stream_id: str
    stop_reason: StopReason
    raw_stop_reason: str | None
    usage: UsageShape
    metrics: MetricsShape
    content: list[dict[str, Any]] = Field(description="Content blocks, as they may be handed back in the next turn")


class SnapshotShape(_NativeShape):
    """A stream as it stands."""

    stream_id: str
    model_id: str
    state: Literal["queued", "starting", "streaming", "continuing", "done", "failed", "cancelled"]
    text: str
    content: list[dict[str, Any]]
    usage: UsageShape | None
    last_event: int
    resumable: bool
    error: ErrorShape | None
    stop_reason: StopReason | None = None
    raw_stop_reason: str | None = None
    metrics: MetricsShape | None = None
    dropped: list[str] | None = None


class FieldErrorShape(_NativeShape):
    """One mistake."""

    field: str
    message: str


class ProblemShape(_NativeShape):
    """RFC 9457, with the sentence once more where the tutorial's page looks for it."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    code: str
    retryable: bool
    request_id: str | None
    errors: list[FieldErrorShape] | None = None
    violated_policies: list[str] | None = Field(
        default=None, alias="violated-policies", description="The limits of the key that it is over"
    )


EVENTS: dict[str | None, tuple[type[BaseModel], ...]] = {
    "start": (StartShape,),
    None: (TextShape, DoneShape, ErrorShape),
    "reasoning": (ReasoningShape,),
    "tool_call": (ToolCallShape,),
    "tool_result": (ToolResultShape,),
    "progress": (ProgressShape,),
    "status": (StatusShape,),
}
"""Which payloads an event name carries. `citation` and `guardrail` carry Converse's own objects."""

OPEN_EVENTS = ("citation", "guardrail", "reconnect")
"""Events whose payload is any object."""
