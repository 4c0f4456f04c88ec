"""Cohere Command, Light: the whole form unless `stream` is true, even on the streaming operation (recorded)."""

from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import End, Piece
from service.local.families import common, completions
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


class CommandBody(Struct, frozen=True, forbid_unknown_fields=True):
    """InvokeModel's body."""

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
    """Plan the answer to a body."""
    body = shapes.read(request.body, CommandBody, shapes.format_schema_error)
    if body.stream and not request.streaming:
        raise LocalRefusal(
            "Malformed input request: stream is not permitted here, please reformat your input and try again."
        )
    stop = [*body.stop_sequences, *body.end_sequences]
    prompt = common.raw_prompt(
        request, templates.LABELS, body.prompt, max_tokens=body.max_tokens, stop=stop, leading_space=" "
    )

    def whole(prompt: LocalPrompt, text: str, end: End) -> Json:
        return _whole(prompt, text, end, body.num_generations)

    numbered = body.num_generations
    return completions.plan(
        request,
        prompt,
        Chunking(1, 2),
        lambda _: CommandChunks(numbered) if body.stream else WholeAnswerChunk(prompt, numbered),
        whole,
    )


class CommandChunks:
    """Writes the chunks. With several generations each is told by its `index`, one after the other (recorded)."""

    def __init__(self, generations: int) -> None:
        self._generations = generations
        self._said: list[str] = []

    def begin(self) -> list[LocalFrame]:
        """Nothing comes before the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece."""
        if not piece.text:
            return []
        self._said.append(piece.text)
        return [LocalFrame(self._chunk(piece.text, 0), "delta")]

    def end(self, end: End) -> list[LocalFrame]:
        """Say why it stopped, without text and index."""
        frames = [LocalFrame(self._chunk(text, n), "delta") for n in range(1, self._generations) for text in self._said]
        return [*frames, LocalFrame({"finish_reason": _reason(end), "is_finished": True}, "last")]

    def _chunk(self, text: str, number: int) -> Json:
        return {**({"index": number} if self._generations > 1 else {}), "is_finished": False, "text": text}


class WholeAnswerChunk:
    """Writes the whole form as a single chunk."""

    def __init__(self, prompt: LocalPrompt, generations: int) -> None:
        self._prompt = prompt
        self._generations = generations
        self._said: list[str] = []

    def begin(self) -> list[LocalFrame]:
        """Nothing comes before it."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Keep a piece for the end."""
        self._said.append(piece.text)
        return []

    def end(self, end: End) -> list[LocalFrame]:
        """Write it."""
        return [LocalFrame(_whole(self._prompt, "".join(self._said), end, self._generations), "last")]


def _whole(prompt: LocalPrompt, text: str, end: End, generations: int) -> Json:
    request = prompt.raw_text
    made: list[dict[str, Any]] = [
        {"finish_reason": _reason(end), "id": str(uuid5(NAMESPACE_URL, f"{n}{request[:500]}")), "text": text}
        for n in range(generations)
    ]
    return {"generations": made, "id": str(uuid5(NAMESPACE_URL, request[:500])), "prompt": request}


def _reason(end: End) -> str:
    # STOP_SEQUENCE is recorded; the documentation knows the other two.
    return {"max_tokens": "MAX_TOKENS", "stop_sequence": "STOP_SEQUENCE", "content_filtered": "ERROR_TOXIC"}.get(
        end.stop, "COMPLETE"
    )
