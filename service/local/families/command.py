"""Cohere Command and Light: one whole body unless `stream` is true, even on the streaming operation (recorded)."""

from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


class CommandBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] = 20
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    p: Annotated[float, Meta(ge=0, le=1)] | None = None
    k: Annotated[float, Meta(ge=0, le=500)] | None = None
    stop_sequences: list[str] = []
    return_likelihoods: Literal["GENERATION", "ALL", "NONE"] = "NONE"
    stream: bool = False
    num_generations: Annotated[int, Meta(ge=1, le=5)] = 1
    logit_bias: dict[str, float] | None = None
    truncate: Literal["NONE", "START", "END"] = "NONE"
    end_sequences: list[str] = []


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, CommandBody, shapes.format_schema_error)
    if body.stream and not request.streaming:
        raise LocalRefusal(
            "Malformed input request: stream is not permitted here, please reformat your input and try again."
        )
    stop = [*body.stop_sequences, *body.end_sequences]
    prompt = common.raw_prompt(
        request, templates.LABELS, body.prompt, max_tokens=body.max_tokens, stop=stop, leading_space=" "
    )
    writer = CommandChunks if body.stream else WholeAnswerChunk
    return common.make_plan(request, prompt, Chunking(1, 2), lambda _: writer(prompt, body.num_generations))


class CommandChunks:
    """Writes the chunks. Several generations have an `index` each and follow one another (recorded)."""

    def __init__(self, prompt: LocalPrompt, generations: int) -> None:
        self._prompt = prompt
        self._generations = generations
        self._texts: list[str] = []

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        if not piece.text:
            return []
        self._texts.append(piece.text)
        return [LocalFrame(self._chunk(piece.text, 0), "delta")]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason, without text and index."""
        frames = [
            LocalFrame(self._chunk(text, n), "delta") for n in range(1, self._generations) for text in self._texts
        ]
        return [*frames, LocalFrame({"finish_reason": _reason(end), "is_finished": True}, "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return self._body(common.join_text(blocks), end)

    def _chunk(self, text: str, number: int) -> Json:
        return {**({"index": number} if self._generations > 1 else {}), "is_finished": False, "text": text}

    def _body(self, text: str, end: End) -> Json:
        raw_text = self._prompt.raw_text
        generations: list[dict[str, Any]] = [
            {"finish_reason": _reason(end), "id": str(uuid5(NAMESPACE_URL, f"{n}{raw_text[:500]}")), "text": text}
            for n in range(self._generations)
        ]
        return {"generations": generations, "id": str(uuid5(NAMESPACE_URL, raw_text[:500])), "prompt": raw_text}


class WholeAnswerChunk(CommandChunks):
    """Writes the whole body as a single chunk."""

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Store a piece for the end."""
        self._texts.append(piece.text)
        return []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the chunk."""
        return [LocalFrame(self._body("".join(self._texts), end), "last")]


def _reason(end: End) -> str:
    # STOP_SEQUENCE is recorded; the other two are from the documentation.
    return {"max_tokens": "MAX_TOKENS", "stop_sequence": "STOP_SEQUENCE", "content_filtered": "ERROR_TOXIC"}.get(
        end.stop, "COMPLETE"
    )
