"""AI21 Jurassic-2, which never streamed: a completion with every token in it."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from service.local import shapes, templates
from service.local.answer import End
from service.local.families import common, completions
from service.local.families.common import InvokeBody
from service.local.plan import Opening, Plan, Writer
from service.local.prompt import LocalPrompt
from service.local.refusal import LocalRefusal
from service.local.text import tokens
from service.local.text.pieces import Manner
from service.local.wire.frames import Json


class Penalty(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How much repetition costs."""

    scale: float
    apply_to_whitespaces: bool | None = None
    apply_to_punctuations: bool | None = None
    apply_to_numbers: bool | None = None
    apply_to_stopwords: bool | None = None
    apply_to_emojis: bool | None = None


class JurassicBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """InvokeModel's body."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=8191)] = 200
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] = []
    count_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    num_results: Annotated[int, Meta(ge=1, le=16)] = 1
    min_tokens: int = 0


def plan(asked: InvokeBody) -> Plan:
    """Plan the answer to a body."""
    body = shapes.read(asked.body, JurassicBody, shapes.malformed)
    prompt = common.raw_prompt(
        asked, templates.LABELS, body.prompt, max_tokens=body.max_tokens, stop=body.stop_sequences, lead="\n"
    )
    return completions.plan(asked, prompt, Manner(4, 8), _unstreamed, _whole)


def _unstreamed(opening: Opening) -> Writer:
    """Refuse to stream."""
    del opening
    raise LocalRefusal("The model is unsupported for streaming.")


def _whole(prompt: LocalPrompt, text: str, end: End) -> Json:
    reason: dict[str, Any] = {"reason": {"max_tokens": "length", "stop_sequence": "stop"}.get(end.stop, "endoftext")}
    if end.stop == "max_tokens":
        reason["length"] = end.usage.output
    elif end.sequence:
        reason["sequence"] = end.sequence
    said = {"text": text, "tokens": _tokens(text)}
    return {
        "id": 1234,
        "prompt": {"text": prompt.counted, "tokens": _tokens(prompt.counted)},
        "completions": [{"data": said, "finishReason": reason}],
    }


def _tokens(text: str) -> list[Json]:
    made, at = [], 0
    for token in tokens.tokenize(text):
        generated = {"token": token.replace(" ", "▁"), "logprob": -0.5, "raw_logprob": -0.5}
        made.append(
            {"generatedToken": generated, "textRange": {"start": at, "end": at + len(token)}, "topTokens": None}
        )
        at += len(token)
    return made
