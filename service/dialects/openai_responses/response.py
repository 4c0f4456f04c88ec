"""The response object, which stands in the first events, in the last one, and alone when it is read."""

from typing import Any, NamedTuple

from msgspec import Struct

from service.deltas import Done, Failed, StopReason, Usage
from service.dialects.dialect import Heading
from service.errors import CODES

Json = dict[str, Any]

_PREFIX = "resp_"


def response_id(stream: str) -> str:
    """Name the response of a stream."""
    return _PREFIX + stream


def stream_id(response: str) -> str | None:
    """Find the stream of a response; None where the id is none of ours."""
    return response.removeprefix(_PREFIX) if response.startswith(_PREFIX) else None


def item_id(kind: str, stream: str, number: int) -> str:
    """Name an output item, so that its response can be told from it."""
    return f"{kind}_{stream}_{number}"


def home(item: str) -> tuple[str, int] | None:
    """Find the stream of an output item, and its place there; None where the id is none of ours."""
    _, _, rest = item.partition("_")
    stream, _, number = rest.rpartition("_")
    return (stream, int(number)) if stream and number.isascii() and number.isdecimal() else None


def interrupted(response: Json) -> Json:
    """Tell a response whose process died with its stream: what it had said is lost."""
    code = CODES["interrupted"]
    failed = Failed(code.name, code.sentence, code.status, code.retryable, partial=False)
    return response | {"status": "failed", "error": _error(failed)}


def deleted(response: str) -> Json:
    """Say that a response is deleted."""
    return {"id": response, "object": "response", "deleted": True}


class ResponsesOptions(Struct, frozen=True):
    """What the response repeats of the request."""

    instructions: str | None = None
    metadata: dict[str, Any] = {}
    tools: list[Json] = []
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    reasoning: Json | None = None
    text: Json | None = None
    background: bool = False
    store: bool = True

    @property
    def summary(self) -> bool:
        """Whether the caller looks for reasoning in the summary; otherwise it is told as reasoning text."""
        asked = self.reasoning or {}
        return bool(asked.get("summary") or asked.get("generate_summary"))


class ResponseState(NamedTuple):
    """How far a response is."""

    status: str
    usage: Usage | None = None
    reason: str | None = None
    """Why it is incomplete."""
    failure: Failed | None = None
    latency: float | None = None

    @property
    def item(self) -> str:
        """How far the open item is."""
        return self.status if self.status in ("completed", "in_progress") else "incomplete"

    @property
    def event(self) -> str:
        """The event that tells this end. OpenAI has none for a cancelled response; its `status` says so."""
        return {"completed": "response.completed", "failed": "response.failed"}.get(self.status, "response.incomplete")


# The other reasons leave the answer complete.
_INCOMPLETE = {
    StopReason.MAX_TOKENS: "max_output_tokens",
    StopReason.CONTEXT_WINDOW_EXCEEDED: "max_output_tokens",
    StopReason.CONTENT_FILTERED: "content_filter",
    StopReason.GUARDRAIL_INTERVENED: "content_filter",
}


def ended(end: Done | Failed) -> ResponseState:
    """Say how a response ended."""
    if isinstance(end, Failed):
        return ResponseState("failed", failure=end)
    if end.stop_reason is StopReason.CANCELLED:
        return ResponseState("cancelled", end.usage)
    if (reason := _INCOMPLETE.get(end.stop_reason)) is not None:
        return ResponseState("incomplete", end.usage, reason)
    return ResponseState("completed", end.usage, latency=end.metrics.latency)


def response(heading: Heading, options: ResponsesOptions, state: ResponseState, output: list[Json]) -> Json:
    """Build the response object."""
    completed_at = None if state.latency is None else int(heading.created + state.latency)
    return {
        "id": response_id(heading.stream_id),
        "object": "response",
        "created_at": int(heading.created),
        "completed_at": completed_at,
        "status": state.status,
        "background": options.background,
        "error": state.failure and _error(state.failure),
        "incomplete_details": state.reason and {"reason": state.reason},
        "instructions": options.instructions,
        "max_output_tokens": options.max_output_tokens,
        "metadata": options.metadata,
        "model": heading.model_id,
        "output": output,
        "parallel_tool_calls": options.parallel_tool_calls,
        "previous_response_id": options.previous_response_id,
        "reasoning": options.reasoning,
        "store": options.store,
        "temperature": options.temperature,
        "text": options.text or {"format": {"type": "text"}},
        "tool_choice": options.tool_choice,
        "tools": options.tools,
        "top_p": options.top_p,
        "truncation": "disabled",
        "usage": state.usage and _usage(state.usage),
    }


_ERROR_CODES = {
    "throttled": "rate_limit_exceeded",
    "rate_limited": "rate_limit_exceeded",
    "quota_exceeded": "rate_limit_exceeded",
    "model_not_ready": "rate_limit_exceeded",
    "validation": "invalid_prompt",
}


def _error(failure: Failed) -> Json:
    """Tell a failure: `code` is OpenAI's, of a closed list, and `type` ours."""
    return {
        "code": _ERROR_CODES.get(failure.code, "server_error"),
        "message": failure.message,
        "type": failure.code,
    }


def _usage(spent: Usage) -> Json | None:
    """Tell the usage: `input_tokens` includes what was cached, and no number may be null. None: nobody reported any."""
    if spent.input_tokens is None and spent.output_tokens is None:
        return None
    read, written = spent.cache_read_tokens or 0, spent.cache_write_tokens or 0
    given, made = (spent.input_tokens or 0) + read + written, spent.output_tokens or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning_tokens or 0},
        "total_tokens": given + made,
    }
