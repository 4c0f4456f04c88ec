"""What every family's stream on InvokeModel has in common: the metrics of the last chunk, and the guardrail's keys."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local import compose, guardrail
from service.local.answer import End, Piece
from service.local.plan import StreamStart, Writer
from service.local.prompt import LocalPrompt, Media, PromptGuardrail, PromptText, PromptTurn
from service.local.refusal import LocalRefusal
from service.local.templates import PromptMemory, Template
from service.local.wire.frames import Json, LocalFrame

UNKNOWN_CHUNK = LocalFrame({"type": "hologram", "hologram": {"depth": 3}})
"""A kind of chunk that nobody has met."""

STREAM_HEADERS = (("X-Amzn-Bedrock-Content-Type", "application/json"),)


class InvokeRequest(Struct, frozen=True):
    """A body of InvokeModel, and where it came."""

    body: object
    model: Model
    streaming: bool
    headers: dict[str, str]
    prompts: PromptMemory

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
    request: InvokeRequest,
    template: Template,
    prompt: str,
    *,
    max_tokens: int,
    stop: Sequence[str] = (),
    leading_space: str = "",
    images: Sequence[Media] = (),
) -> LocalPrompt:
    """Understand a raw prompt: its turns, and how far the answer has come."""
    read: list[LocalPrompt] = []
    for script in request.prompts.read(template, prompt):
        turns = script.turns or (PromptTurn("user", (PromptText(prompt),)),)
        meant = LocalPrompt(
            model=request.model,
            turns=(*turns[:-1], PromptTurn("user", (*turns[-1].parts, *images))),
            system=(PromptText(script.system),) if script.system else (),
            max_tokens=max_tokens,
            stop_sequences=tuple(stop),
            prefill=script.so_far,
            guardrail=request.guardrail,
            raw_text=prompt,
            leading_space=leading_space,
        )
        read.append(meant)
    return next((one for one in read if one.prefill and continues_prefill(one)), read[-1])


def continues_prefill(prompt: LocalPrompt) -> bool:
    """Tell whether the answer so far is the beginning of the answer there would be."""
    return compose.continue_text(compose.write_text(prompt), prompt.prefill) != compose.write_text(prompt)


class MetricsWriter:
    """Puts the invocation metrics into the last chunk of whatever a family's own writer writes.

    With a guardrail every chunk says what it did, the last one also its trace.
    """

    def __init__(self, inner: Writer, prompt: LocalPrompt) -> None:
        self._inner = inner
        self._prompt = prompt

    def begin(self) -> list[LocalFrame]:
        """Open the answer."""
        return self._guarded(self._inner.begin())

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece."""
        return self._guarded(self._inner.write(piece))

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
        action = guardrail_action(self._prompt)
        return [
            LocalFrame({**frame.payload, "amazon-bedrock-guardrailAction": action}, frame.phase) for frame in frames
        ]


def guardrail_action(prompt: LocalPrompt) -> str:
    """What the guardrail did."""
    return "INTERVENED" if guardrail.blocked_answer(prompt) else "NONE"


def with_guardrail_action(answer: Json, prompt: LocalPrompt, end: End) -> Json:
    """Add to a whole answer what the guardrail did."""
    if prompt.guardrail is None:
        return answer
    said: Json = {**answer, "amazon-bedrock-guardrailAction": guardrail_action(prompt)}
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


def with_metrics(writer: Callable[[StreamStart], Writer], prompt: LocalPrompt) -> Callable[[StreamStart], Writer]:
    """Wrap a family's writer."""
    return lambda opening: MetricsWriter(writer(opening), prompt)
