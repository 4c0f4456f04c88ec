"""The members that Converse's events and its whole answer share: usage, stop reason, trace, clock, reasoning."""

from typing import Any

from service.bedrock.json_fields import Json, corrupt, count, object_of, text_of
from service.deltas import Delta, GuardrailTrace, ReasoningDelta, Stop, StopReason, Timing, Unknown, Usage

STOP_REASONS = {
    "end_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
    "content_filtered": StopReason.CONTENT_FILTERED,
    "guardrail_intervened": StopReason.GUARDRAIL_INTERVENED,
    "model_context_window_exceeded": StopReason.CONTEXT_WINDOW_EXCEEDED,
    "malformed_model_output": StopReason.MALFORMED_OUTPUT,
    "malformed_tool_use": StopReason.MALFORMED_OUTPUT,
}
"""An open enum: a word that is not here is `other`, and kept as the raw reason."""


def usage_of(said: Any) -> Usage:
    """Read a usage object in either spelling of its cache's tokens."""
    usage = object_of(said, "usage")

    def either(new: str, old: str) -> int | None:
        value = count(usage.get(new))
        return count(usage.get(old)) if value is None else value

    return Usage(
        input_tokens=count(usage.get("inputTokens")),
        output_tokens=count(usage.get("outputTokens")),
        total_tokens=count(usage.get("totalTokens")),
        cache_read_tokens=either("cacheReadInputTokens", "cacheReadInputTokenCount"),
        cache_write_tokens=either("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    )


def stop_of(said: Json) -> Stop:
    """Read a stop reason, and the stop sequence where `additionalModelResponseFieldPaths` asked for it.

    ConverseStream puts it under `delta`, Converse does not.
    """
    raw = said.get("stopReason")
    if not isinstance(raw, str):
        raise corrupt("messageStop")
    fields = said.get("additionalModelResponseFields")
    fields = fields if isinstance(fields, dict) else {}
    fields = fields["delta"] if isinstance(fields.get("delta"), dict) else fields
    sequence = fields.get("stop_sequence")
    return Stop(STOP_REASONS.get(raw, StopReason.OTHER), raw, sequence if isinstance(sequence, str) else None)


def trace_of(said: Json) -> list[Delta]:
    """Read a guardrail's trace, where there is one."""
    trace = said.get("trace")
    guardrail = trace.get("guardrail") if isinstance(trace, dict) else None
    return [GuardrailTrace(guardrail)] if isinstance(guardrail, dict) else []


def timing_of(said: Json) -> list[Delta]:
    """Read Bedrock's clock, where it is told."""
    metrics = said.get("metrics")
    latency = count(metrics.get("latencyMs")) if isinstance(metrics, dict) else None
    return [] if latency is None else [Timing(latency)]


def says(reasoning: Any) -> bool:
    """Whether a piece of reasoning holds anything: an empty one opens no block."""
    return not isinstance(reasoning, dict) or any(reasoning.values())


_REASONING = {"text": "text", "signature": "signature", "redactedContent": "redacted"}


def reasoning_of(index: int, said: Any) -> list[Delta]:
    """Read one piece of reasoning: text, signature or redacted content."""
    reasoning = object_of(said, "reasoningContent")
    deltas: list[Delta] = []
    for kind, value in reasoning.items():
        if kind in _REASONING:
            if piece := text_of(value, "reasoningContent"):
                deltas.append(ReasoningDelta(index, **{_REASONING[kind]: piece}))
        elif value is not None:
            deltas.append(Unknown(f"reasoningContent.{kind}"))
    return deltas
