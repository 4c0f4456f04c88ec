"""AI21 Jurassic-2, which does not stream: a completion with a list of its tokens."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import Block, End
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text import tokens
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


class JurassicPenalty(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A penalty for repetition."""

    scale: float
    apply_to_whitespaces: bool | None = None
    apply_to_punctuations: bool | None = None
    apply_to_numbers: bool | None = None
    apply_to_stopwords: bool | None = None
    apply_to_emojis: bool | None = None


class JurassicBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body of InvokeModel."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=8191)] = 200
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] = []
    count_penalty: JurassicPenalty | None = None
    presence_penalty: JurassicPenalty | None = None
    frequency_penalty: JurassicPenalty | None = None
    num_results: Annotated[int, Meta(ge=1, le=16)] = 1
    min_tokens: int = 0


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, JurassicBody, shapes.format_schema_error)
    prompt = common.raw_prompt(
        request, templates.LABELS, body.prompt, max_tokens=body.max_tokens, stop=body.stop_sequences, leading_space="\n"
    )
    return common.make_plan(request, prompt, Chunking(4, 8), lambda _: JurassicWriter(prompt))


class JurassicWriter:
    """Writes the body; the model does not stream."""

    def __init__(self, prompt: LocalPrompt) -> None:
        self._prompt = prompt

    def begin(self, *_: object) -> list[LocalFrame]:
        """Reject the stream."""
        raise LocalRefusal("The model is unsupported for streaming.")

    write = end = begin

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        reasons = {"max_tokens": "length", "stop_sequence": "stop"}
        reason: dict[str, Any] = {"reason": reasons.get(end.stop, "endoftext")}
        if end.stop == "max_tokens":
            reason["length"] = end.usage.output
        elif end.sequence:
            reason["sequence"] = end.sequence
        text, raw_text = common.join_text(blocks), self._prompt.raw_text
        return {
            "id": 1234,
            "prompt": {"text": raw_text, "tokens": _tokens(raw_text)},
            "completions": [{"data": {"text": text, "tokens": _tokens(text)}, "finishReason": reason}],
        }


def _tokens(text: str) -> list[Json]:
    entries, at = [], 0
    for token in tokens.tokenize(text):
        generated = {"token": token.replace(" ", "▁"), "logprob": -0.5, "raw_logprob": -0.5}
        entries.append(
            {"generatedToken": generated, "textRange": {"start": at, "end": at + len(token)}, "topTokens": None}
        )
        at += len(token)
    return entries
