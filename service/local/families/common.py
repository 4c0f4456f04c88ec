"""What every family's stream on InvokeModel has in common: the metrics of the last chunk, and the guardrail's keys."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local import compose, guardrail
from service.local.answer import End, Piece
from service.local.plan import Opening, Writer
from service.local.prompt import LocalPrompt, Media, PromptGuardrail, PromptText, PromptTurn
from service.local.refusal import LocalRefusal
from service.local.templates import Remembered, Template
from service.local.wire.frames import Json, LocalFrame

WILD = LocalFrame({"type": "hologram", "hologram": {"depth": 3}})
"""A kind of chunk that nobody has met."""

STREAM_HEADERS = (("X-Amzn-Bedrock-Content-Type", "application/json"),)


class InvokeBody(Struct, frozen=True):
    """A body of InvokeModel, and where it came."""

    body: object
    model: Model
    streaming: bool
    headers: dict[str, str]
    prompts: Remembered

    @property
    def guardrail(self) -> PromptGuardrail | None:
        """The guardrail that the headers name."""
        id_, version = (self.headers.get(f"x-amzn-bedrock-guardrail{name}", "") for name in ("identifier", "version"))
        if not id_ and not version:
            return None
        if not id_ or not version:
            raise LocalRefusal("guardrailIdentifier and guardrailVersion must be given together.")
        return PromptGuardrail(id_, version, trace=self.headers.get("x-amzn-bedrock-trace", "").startswith("ENABLED"))


def raw_prompt(
    asked: InvokeBody,
    template: Template,
    prompt: str,
    *,
    max_tokens: int,
    stop: Sequence[str] = (),
    lead: str = "",
    images: Sequence[Media] = (),
) -> LocalPrompt:
    """Understand a raw prompt: its turns, and how far the answer has come."""
    read: list[LocalPrompt] = []
    for script in asked.prompts.read(template, prompt):
        turns = script.turns or (PromptTurn("user", (PromptText(prompt),)),)
        meant = LocalPrompt(
            model=asked.model,
            turns=(*turns[:-1], PromptTurn("user", (*turns[-1].parts, *images))),
            system=(PromptText(script.system),) if script.system else (),
            max_tokens=max_tokens,
            stop_sequences=tuple(stop),
            prefill=script.so_far,
            guardrail=asked.guardrail,
            counted=prompt,
            lead=lead,
        )
        read.append(meant)
    return next((one for one in read if one.prefill and goes_on(one)), read[-1])


def goes_on(prompt: LocalPrompt) -> bool:
    """Tell whether the answer so far is the beginning of the answer there would be."""
    return compose.rest(compose.words(prompt), prompt.prefill) != compose.words(prompt)


class Measured:
    """Puts the invocation metrics into the last chunk of whatever a family's own writer writes.

    With a guardrail every chunk says what it did, the last one also its trace.
    """

    def __init__(self, inner: Writer, prompt: LocalPrompt) -> None:
        self._inner = inner
        self._prompt = prompt

    def begin(self) -> list[LocalFrame]:
        """Open the answer."""
        return self._guarded(self._inner.begin())

    def piece(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece."""
        return self._guarded(self._inner.piece(piece))

    def end(self, end: End) -> list[LocalFrame]:
        """Close the answer, metrics last."""
        *others, last = self._guarded(self._inner.end(end))
        payload = {**last.payload, "amazon-bedrock-invocationMetrics": metrics(self._prompt.model, end)}
        if end.trace:
            payload["amazon-bedrock-trace"] = {"guardrail": _trace(end.trace)}
        return [*others, LocalFrame(payload, "last")]

    def _guarded(self, frames: list[LocalFrame]) -> list[LocalFrame]:
        if self._prompt.guardrail is None:
            return frames
        action = action_of(self._prompt)
        return [
            LocalFrame({**frame.payload, "amazon-bedrock-guardrailAction": action}, frame.phase) for frame in frames
        ]


def action_of(prompt: LocalPrompt) -> str:
    """What the guardrail did."""
    return "INTERVENED" if guardrail.blocked(prompt) else "NONE"


def guarded(answer: Json, prompt: LocalPrompt, end: End) -> Json:
    """Add to a whole answer what the guardrail did."""
    if prompt.guardrail is None:
        return answer
    said: Json = {**answer, "amazon-bedrock-guardrailAction": action_of(prompt)}
    if end.trace:
        said["amazon-bedrock-trace"] = {"guardrail": _trace(end.trace)}
    return said


def _trace(trace: dict[str, Any]) -> Json:
    return {"input": trace["inputAssessment"], **{key: trace[key] for key in ("actionReason",) if key in trace}}


def metrics(model: Model, end: End) -> Json:
    """Count for the last chunk."""
    spent = end.usage
    cached = {"cacheReadInputTokenCount": spent.cache_read, "cacheWriteInputTokenCount": spent.cache_write}
    return {
        "inputTokenCount": spent.input,
        "outputTokenCount": spent.output,
        "invocationLatency": end.latency_ms,
        "firstByteLatency": end.first_byte_ms,
        **(cached if model.family in {"claude_messages", "nova"} else {}),
    }


def measured(writer: Callable[[Opening], Writer], prompt: LocalPrompt) -> Callable[[Opening], Writer]:
    """Wrap a family's writer."""
    return lambda opening: Measured(writer(opening), prompt)
