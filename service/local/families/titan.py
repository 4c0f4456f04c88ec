"""Amazon Titan Text: one chunk or two, the numbers at the edges (recorded)."""

from functools import partial
from typing import Annotated

from msgspec import Meta, Struct

from service.local import guardrail, shapes, templates
from service.local.answer import End, Piece
from service.local.families import common, completions
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text import tokens
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_REASONS = {"max_tokens": "LENGTH", "stop_sequence": "STOP_CRITERIA_MET", "content_filtered": "CONTENT_FILTERED"}


class TitanConfig(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How to write."""

    max_token_count: Annotated[int, Meta(ge=0)] = 512
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] = []


class TitanBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """InvokeModel's body."""

    input_text: str
    text_generation_config: TitanConfig = TitanConfig()


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body."""
    body = shapes.read(request.body, TitanBody, shapes.format_schema_error)
    config, ceiling = body.text_generation_config, request.model.max_output_tokens
    if ceiling is not None and config.max_token_count > ceiling:
        raise LocalRefusal(
            shapes.format_schema_error("textGenerationConfig.maxTokenCount", f"Expected `int` <= {ceiling}")
        )
    if not body.input_text.strip():
        raise LocalRefusal(shapes.format_schema_error("inputText", "Expected `str` of length >= 1"))
    prompt = common.raw_prompt(
        request, templates.LABELS, body.input_text, max_tokens=config.max_token_count or 512, stop=config.stop_sequences,
        leading_space="\n",
    )  # fmt: skip
    plan_ = completions.plan(request, prompt, Chunking(60, 110), partial(TitanChunks, prompt), _whole)
    if prompt.guardrail and guardrail.blocked_answer(prompt):
        return Plan(
            prompt, plan_.chunking, "", lambda _: BlockedChunk(prompt), plan_.write_body, plan_.unknown_frame, plan_.headers
        )
    return plan_


class TitanChunks:
    """Writes the chunks: the last one has the end in it, so each piece is held until the next one comes."""

    def __init__(self, prompt: LocalPrompt, opening: StreamStart) -> None:
        self._prompt = prompt
        self._input: int | None = opening.input_tokens
        self._held = ""

    def begin(self) -> list[LocalFrame]:
        """Nothing comes before the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the piece before this one."""
        if not self._held:
            self._held = piece.text
            return []
        frame = LocalFrame(self._chunk(self._held, None), "delta")
        self._held, self._input = piece.text, None
        return [frame]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the last piece, with the end."""
        return [LocalFrame(self._chunk(self._held, end), "last")]

    def _chunk(self, text: str, end: End | None) -> Json:
        return {
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": end.usage.output if end else None,
            "completionReason": _REASONS.get(end.stop, "FINISH") if end else None,
            "inputTextTokenCount": self._input,
        }


class BlockedChunk:
    """Writes what a guardrail leaves: one chunk, counts with a point, neither reason nor metrics (recorded)."""

    def __init__(self, prompt: LocalPrompt) -> None:
        self._prompt = prompt

    def begin(self) -> list[LocalFrame]:
        """Nothing comes before it."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """It comes whole."""
        del piece
        return []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the one chunk."""
        chunk = {"outputText": guardrail.BLOCKED_MESSAGE, "index": 0, "inputTextTokenCount": float(end.usage.input)}
        return [LocalFrame(common.with_guardrail_action(chunk, self._prompt, end), "last")]


def _whole(prompt: LocalPrompt, text: str, end: End) -> Json:
    reason = _REASONS.get(end.stop, "FINISH")
    result = {"tokenCount": tokens.count(text), "outputText": text, "completionReason": reason}
    return {"inputTextTokenCount": tokens.count(prompt.raw_text), "results": [result]}
