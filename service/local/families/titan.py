"""Amazon Titan Text: one chunk or two, with token counts in the first and the last (recorded)."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from service.local import guardrail, shapes, templates
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text import tokens
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_REASONS = {"max_tokens": "LENGTH", "stop_sequence": "STOP_CRITERIA_MET", "content_filtered": "CONTENT_FILTERED"}


class TitanConfig(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The parameters of the generation."""

    max_token_count: Annotated[int, Meta(ge=0)] = 512
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] = []


class TitanBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body of InvokeModel."""

    input_text: str
    text_generation_config: TitanConfig = TitanConfig()


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, TitanBody, shapes.format_schema_error)
    config, ceiling = body.text_generation_config, request.model.max_output_tokens
    if ceiling is not None and config.max_token_count > ceiling:
        raise LocalRefusal(
            shapes.format_schema_error("textGenerationConfig.maxTokenCount", f"Expected `int` <= {ceiling}")
        )
    if not body.input_text.strip():
        raise LocalRefusal(shapes.format_schema_error("inputText", "Expected `str` of length >= 1"))
    prompt = common.raw_prompt(
        request,
        templates.LABELS,
        body.input_text,
        max_tokens=config.max_token_count or 512,
        stop=config.stop_sequences,
        leading_space="\n",
    )
    titan_plan = common.make_plan(request, prompt, Chunking(60, 110), TitanChunks)
    if guardrail.blocked_answer(prompt):
        return structs.replace(titan_plan, make_writer=lambda start: BlockedChunk(start, prompt))
    return titan_plan


class TitanChunks:
    """Writes the chunks. The last one contains the end, so each piece is delayed until the next one."""

    def __init__(self, start: StreamStart) -> None:
        self._input: int | None = start.input_tokens
        self._delayed = ""

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the previous piece."""
        if not self._delayed:
            self._delayed = piece.text
            return []
        frame = LocalFrame(self._chunk(self._delayed, None), "delta")
        self._delayed, self._input = piece.text, None
        return [frame]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the last piece, with the stop reason."""
        return [LocalFrame(self._chunk(self._delayed, end), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        text = common.join_text(blocks)
        reason = _REASONS.get(end.stop, "FINISH")
        result = {"tokenCount": tokens.count(text), "outputText": text, "completionReason": reason}
        return {"inputTextTokenCount": self._input, "results": [result]}

    def _chunk(self, text: str, end: End | None) -> Json:
        return {
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": end.usage.output if end else None,
            "completionReason": _REASONS.get(end.stop, "FINISH") if end else None,
            "inputTextTokenCount": self._input,
        }


class BlockedChunk(TitanChunks):
    """Writes the chunk of a blocked prompt: counts as floats, no stop reason, no metrics (recorded)."""

    def __init__(self, start: StreamStart, prompt: LocalPrompt) -> None:
        super().__init__(start)
        self._prompt = prompt

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Return nothing: the stream is one chunk."""
        del piece
        return []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the chunk."""
        chunk = {"outputText": guardrail.BLOCKED_MESSAGE, "index": 0, "inputTextTokenCount": float(end.usage.input)}
        return [LocalFrame(common.with_guardrail_action(chunk, self._prompt, end), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return common.with_guardrail_action(super().write_body(blocks, end), self._prompt, end)
