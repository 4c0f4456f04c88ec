"""The events of a stream, as dataclasses. Unknown members are ignored; an unknown event is `Other`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Start:
    """The stream has started."""

    stream_id: str
    model_id: str
    api: str = ""
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A text delta."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A delta of the reasoning, its signature, or redacted reasoning (base64)."""

    text: str | None = None
    signature: str | None = None
    redacted: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """First a call's `id` and `name`; then, with the same `index`, deltas of its arguments (JSON text).

    `server`: Bedrock itself runs this tool.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    server: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool that Bedrock itself ran."""

    index: int
    tool_use_id: str
    content: list[Json] = field(default_factory=list)
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """A citation for the text before it, in Converse's form."""

    citation: Json


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A guardrail's trace, as Bedrock sent it."""

    trace: Json


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the answer, at most once a second. Rates are tokens a second.

    `progress` goes from 0 to 1 and never decreases. `estimated`: the service counted, not the model.
    """

    progress: float
    output_tokens: int = 0
    tokens_per_second: float = 0.0
    instantaneous_rate: float = 0.0
    is_slow: bool = False
    message: str = ""
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """A change between the service and the model. `delay` is in seconds; other fields are set where they apply.

    `state` is `queued`, `retrying`, `fallback`, `reconnecting`, `continued`, `restarted`, `not_resumable` or `slow`.
    After `restarted` clear the text shown so far: the answer starts again.
    """

    state: str
    attempt: int | None = None
    delay: float | None = None
    place: int | None = None
    model_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A change of the connection to the service; made by this client, not sent by the server.

    `lost`: reconnect number `attempt` of at most `attempts` follows in `delay` seconds. `restored`: the stream was
    resumed without a gap.
    """

    state: Literal["lost", "restored"]
    attempt: int
    attempts: int
    delay: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens over all attempts. None: not reported. `estimated`: the service counted a part of them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    total_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Metrics:
    """Durations in seconds, except Bedrock's own, which are in milliseconds."""

    time_to_first_token: float | None = None
    latency: float | None = None
    gateway_time: float | None = None
    bedrock_latency_ms: int | None = None
    bedrock_first_byte_ms: int | None = None
    attempts: int = 1
    region: str | None = None
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The last event. `raw` is the event as received."""

    stop_reason: str
    raw_stop_reason: str | None
    usage: Usage
    metrics: Metrics
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Other:
    """An event that this client does not know."""

    name: str
    data: Json


Event = (
    Start
    | Text
    | Reasoning
    | ToolCall
    | ToolResult
    | Citation
    | Guardrail
    | Progress
    | Status
    | Connection
    | Done
    | Other
)
"""An event of a stream. A failure is raised instead."""

_NAMED: dict[str, type[Any]] = {
    "start": Start,
    "reasoning": Reasoning,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "progress": Progress,
    "status": Status,
}


def read_event(name: str, members: Json) -> Event:
    """Parse an event that is not a failure."""
    if name == "message" and "text" in members:
        return Text(members["text"])
    if name == "message" and members.get("done"):
        usage, metrics = pick(Usage, members.get("usage") or {}), pick(Metrics, members.get("metrics") or {})
        return Done(members["stop_reason"], members.get("raw_stop_reason"), usage, metrics, members)
    if name == "citation":
        return Citation(members)
    if name == "guardrail":
        return Guardrail(members)
    return pick(_NAMED[name], members) if name in _NAMED else Other(name, members)


def pick(kind: type[T], members: Mapping[str, Any]) -> T:
    """Create a dataclass from the members that are its fields."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # every kind here is a dataclass
    return kind(**{name: value for name, value in members.items() if name in known})
