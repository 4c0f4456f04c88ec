"""Meta Llama 2, 3 and 4: a prompt in the template of the version, and token counts in every chunk."""

from typing import Annotated

from msgspec import Meta, Struct

from service.local import media, shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.refusal import LocalRefusal
from service.local.text import tokens
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_TEMPLATES = {"llama2": templates.INSTRUCTIONS, "llama4": templates.LLAMA_4}
_MAX_TOKENS = {"llama2": 2_048, "llama3": 2_048}


class LlamaBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel. It has no stop sequences."""

    prompt: Annotated[str, Meta(min_length=1)]
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_gen_len: Annotated[int, Meta(ge=1)] = 512
    images: list[str] | None = None


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, LlamaBody, shapes.format_schema_error)
    limit = _MAX_TOKENS.get(request.model.series) or request.model.output_ceiling
    if limit and body.max_gen_len > limit:
        raise LocalRefusal(shapes.format_schema_error("max_gen_len", f"Expected `int` <= {limit}"))
    if body.images is not None and not request.model.invoke.images:
        raise LocalRefusal(shapes.format_schema_error("", "Object contains unknown field `images`"))
    contents = [media.decode_base64(image, "images") for image in body.images or ()]
    images = [media.read_image("png" if content.startswith(b"\x89PNG") else "jpeg", content) for content in contents]
    prompt = common.raw_prompt(
        request,
        _TEMPLATES.get(request.model.series, templates.LLAMA_3),
        body.prompt,
        max_tokens=body.max_gen_len,
        images=images,
    )
    return common.make_plan(request, prompt, Chunking(1, 1), LlamaChunks)


class LlamaChunks:
    """Writes the chunks. The first one has the prompt's tokens, each the answer's tokens so far."""

    def __init__(self, opening: StreamStart) -> None:
        self._prompt: int | None = opening.input_tokens
        self._spent = 0

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        self._spent += piece.tokens
        return [LocalFrame(self._chunk(piece.text, None), "delta")] if piece.text else []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason."""
        return [LocalFrame(self._chunk("", _stop(end)), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        text = common.join_text(blocks)
        return {
            "generation": text,
            "prompt_token_count": self._prompt,
            "generation_token_count": tokens.count(text),
            "stop_reason": _stop(end),
        }

    def _chunk(self, text: str, stop: str | None) -> Json:
        prompt, self._prompt = self._prompt, None
        return {
            "generation": text,
            "prompt_token_count": prompt,
            "generation_token_count": self._spent,
            "stop_reason": stop,
        }


def _stop(end: End) -> str:
    return "length" if end.stop == "max_tokens" else "stop"
