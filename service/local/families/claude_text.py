"""Claude 2 and Instant: a text completion of a raw prompt."""

from typing import Annotated

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import claude_messages, common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.refusal import LocalRefusal
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_MAX_TOKENS = 4_096


class ClaudeTextBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel."""

    prompt: str
    max_tokens_to_sample: Annotated[int, Meta(ge=1, le=_MAX_TOKENS)]
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=500)] | None = None
    stop_sequences: list[str] = []
    anthropic_version: str | None = None


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body; Claude 2 accepts messages too."""
    if isinstance(request.body, dict) and "messages" in request.body:
        return claude_messages.plan(request)
    body = shapes.read(request.body, ClaudeTextBody, shapes.format_schema_error)
    if _HUMAN not in body.prompt or (before := body.prompt.split(_HUMAN)[0]) != before.replace(_ASSISTANT, ""):
        raise LocalRefusal('Invalid prompt: prompt must start with "\n\nHuman:" turn after an optional system prompt')
    if body.prompt.rfind(_ASSISTANT) < body.prompt.rfind(_HUMAN):
        raise LocalRefusal('Invalid prompt: prompt must end with "\n\nAssistant:" turn')
    if body.prompt.endswith(" "):
        raise LocalRefusal("Invalid prompt: prompt cannot end with a space")
    stop = [sequence for sequence in body.stop_sequences if sequence]
    prompt = common.raw_prompt(
        request, templates.CLAUDE, body.prompt, max_tokens=body.max_tokens_to_sample, stop=stop, leading_space=" "
    )
    return common.make_plan(request, prompt, Chunking(1, 3), lambda _: ClaudeTextChunks())


class ClaudeTextChunks:
    """Writes the chunks."""

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        if not piece.text:
            return []
        return [
            LocalFrame({"type": "completion", "completion": piece.text, "stop_reason": None, "stop": None}, "delta")
        ]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason."""
        return [LocalFrame({"type": "completion", "completion": "", **_stop(end)}, "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return {"type": "completion", "completion": "".join(block.text for block in blocks), **_stop(end)}


def _stop(end: End) -> Json:
    """Write the stop reason; a natural end is a stop sequence too: the next turn of the human."""
    if end.stop == "max_tokens":
        return {"stop_reason": "max_tokens", "stop": None}
    return {"stop_reason": "stop_sequence", "stop": end.sequence or _HUMAN}
