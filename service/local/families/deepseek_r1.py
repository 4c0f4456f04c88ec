"""DeepSeek R1: a text completion that starts with reasoning, up to `</think>`."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from service.local import shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_OPEN, _CLOSE = "<think>\n", "\n</think>\n\n"


class DeepSeekR1Body(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=32_768)] = 512
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: Annotated[list[str], Meta(max_length=10)] = []


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, DeepSeekR1Body, shapes.format_schema_error)
    prompt = common.raw_prompt(request, templates.DEEPSEEK, body.prompt, max_tokens=body.max_tokens, stop=body.stop)
    reasoning, closed, text = prompt.prefill.removeprefix(_OPEN).partition(_CLOSE.strip())
    if closed:
        prompt = structs.replace(prompt, prefill=text.lstrip(), reasoning=False)
    else:
        prompt = structs.replace(prompt, prefill="", reasoning_so_far=reasoning, reasoning=True)
    return common.make_plan(request, prompt, Chunking(1, 2), lambda _: DeepSeekR1Chunks())


class DeepSeekR1Chunks:
    """Writes the chunks."""

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece; a tag closes the reasoning."""
        frames = [LocalFrame(_choice(piece.text, None), "delta")] if piece.text else []
        if piece.last and piece.block.kind == "thinking":
            frames.append(LocalFrame(_choice(_CLOSE, None), "delta"))
        return frames

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason."""
        return [LocalFrame(_choice("", _stop(end)), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        text = "".join(block.text + (_CLOSE if block.kind == "thinking" else "") for block in blocks)
        return {"choices": [{"text": text, "stop_reason": _stop(end)}]}


def _choice(text: str, stop: str | None) -> Json:
    return {"choices": [{"index": 0, "text": text, "stop_reason": stop}]}


def _stop(end: End) -> str:
    return "length" if end.stop == "max_tokens" else "stop"
