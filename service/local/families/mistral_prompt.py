"""Mistral 7B, Mixtral and the models of February 2024: a raw prompt with `[INST]` tags."""

from typing import Annotated

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.refusal import LocalRefusal
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_MAX_TOKENS = 8_192
_MAX_MIXTRAL_TOKENS = 4_096


class MistralPromptBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1)] = 512
    stop: Annotated[list[str], Meta(max_length=10)] = []
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=200)] | None = None


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, MistralPromptBody, shapes.format_schema_error)
    limit = _MAX_MIXTRAL_TOKENS if "mixtral" in request.model.id else _MAX_TOKENS
    if body.max_tokens > limit:
        raise LocalRefusal(shapes.format_schema_error("max_tokens", f"Expected `int` <= {limit}"))
    prompt = common.raw_prompt(
        request, templates.INSTRUCTIONS, body.prompt, max_tokens=body.max_tokens, stop=body.stop, leading_space=" "
    )
    return common.make_plan(request, prompt, Chunking(1, 1), lambda _: MistralPromptChunks())


class MistralPromptChunks:
    """Writes the chunks; the last one is empty."""

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        return [LocalFrame(_outputs(piece.text, None), "delta")] if piece.text else []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason."""
        return [LocalFrame(_outputs("", _stop(end)), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return _outputs(common.join_text(blocks), _stop(end))


def _outputs(text: str, stop: str | None) -> Json:
    return {"outputs": [{"text": text, "stop_reason": stop}]}


def _stop(end: End) -> str:
    return "length" if end.stop == "max_tokens" else "stop"
