"""What a message says of itself in Anthropic's words, streamed or whole."""

from typing import Any

from service.deltas import StopReason, Usage
from service.dialects.dialect import Heading

Json = dict[str, Any]

_STOP_REASONS = {
    StopReason.END_TURN: "end_turn",
    StopReason.MAX_TOKENS: "max_tokens",
    StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.TOOL_USE: "tool_use",
    StopReason.CONTENT_FILTERED: "refusal",
    StopReason.GUARDRAIL_INTERVENED: "refusal",
    StopReason.CONTEXT_WINDOW_EXCEEDED: "model_context_window_exceeded",
    # For these Anthropic has no word; each of the others would make a client act upon what did not happen.
    StopReason.MALFORMED_OUTPUT: "end_turn",
    StopReason.CANCELLED: "end_turn",
}


def stop_reason(reason: StopReason, raw: str | None) -> str:
    """Say why the model stopped. A paused turn is `other` to us, but Anthropic's clients know how to go on from it."""
    return _STOP_REASONS.get(reason) or ("pause_turn" if raw == "pause_turn" else "end_turn")


def opening(heading: Heading) -> Json:
    """Build the message before anything is known: Bedrock tells the usage at the end."""
    return {
        "id": f"msg_{heading.stream_id}",
        "type": "message",
        "role": "assistant",
        "model": heading.model_id,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(Usage()) | {"input_tokens": 0},
    }


def usage(spent: Usage) -> Json:
    """Tell the usage; `input_tokens` excludes what was cached, as Bedrock counts. Null: nobody reported it.

    `output_tokens` must be a number, so there it is 0.
    """
    thinking = spent.reasoning_tokens
    return {
        "input_tokens": spent.input_tokens,
        "cache_creation_input_tokens": spent.cache_write_tokens,
        "cache_read_input_tokens": spent.cache_read_tokens,
        "output_tokens": spent.output_tokens or 0,
    } | ({} if thinking is None else {"output_tokens_details": {"thinking_tokens": thinking}})
