"""Shared parts of the families on InvokeModel: raw prompts, the metrics of streams, and the guardrail's members."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from service.bedrock.catalog.resolution import Model
from service.local import compose, guardrail
from service.local.answer import Block, BlockKind, End, Piece
from service.local.plan import Plan, StreamStart, Writer
from service.local.prompt import LocalPrompt, Media, PromptGuardrail, PromptText, PromptTurn
from service.local.refusal import LocalRefusal
from service.local.templates import PromptMemory, Template
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

UNKNOWN_CHUNK = LocalFrame({"type": "hologram", "hologram": {"depth": 3}})
"""A chunk of a kind that no client knows."""

_STREAM_HEADERS = (("X-Amzn-Bedrock-Content-Type", "application/json"),)


class InvokeRequest(Struct, frozen=True):
    """A request of InvokeModel or InvokeModelWithResponseStream."""

    body: object
    model: Model
    streaming: bool
    headers: dict[str, str]
    prompts: PromptMemory

    @property
    def response_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of the response, beside those of every operation."""
        return _STREAM_HEADERS if self.streaming else ()

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
    """Parse a raw prompt: its turns, its system text, and the beginning of the answer."""
    for parsed in request.prompts.read(template, prompt):
        turns = parsed.turns or (PromptTurn("user", (PromptText(prompt),)),)
        candidate = LocalPrompt(
            model=request.model,
            turns=(*turns[:-1], PromptTurn("user", (*turns[-1].parts, *images))),
            system=(PromptText(parsed.system),) if parsed.system else (),
            max_tokens=max_tokens,
            stop_sequences=tuple(stop),
            prefill=parsed.so_far,
            guardrail=request.guardrail,
            raw_text=prompt,
            leading_space=leading_space,
        )
        if candidate.prefill:
            text = compose.write_text(candidate)
            if compose.continue_text(text, candidate.prefill) != text:
                break  # the prefill is the beginning of this candidate's answer
    return candidate


class MetricsWriter:
    """Adds the invocation metrics to the last chunk of a family's writer.

    With a guardrail, every chunk has its action, and the last one also its trace.
    """

    def __init__(self, inner: Writer, prompt: LocalPrompt) -> None:
        self._inner = inner
        self._prompt = prompt

    def begin(self) -> list[LocalFrame]:
        """Write the chunks before the text."""
        return self._add_action(self._inner.begin())

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        return self._add_action(self._inner.write(piece))

    def end(self, end: End) -> list[LocalFrame]:
        """Write the last chunks, and the metrics in the last one."""
        *others, last = self._add_action(self._inner.end(end))
        payload = {**last.payload, "amazon-bedrock-invocationMetrics": metrics(self._prompt.model, end)}
        if end.trace:
            payload["amazon-bedrock-trace"] = {"guardrail": _trace(end.trace)}
        return [*others, LocalFrame(payload, "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return with_guardrail_action(self._inner.write_body(blocks, end), self._prompt, end)

    def _add_action(self, frames: list[LocalFrame]) -> list[LocalFrame]:
        if self._prompt.guardrail is None:
            return frames
        action = guardrail_action(self._prompt)
        return [
            LocalFrame({**frame.payload, "amazon-bedrock-guardrailAction": action}, frame.phase) for frame in frames
        ]


def join_text(blocks: Sequence[Block], kind: BlockKind = "text") -> str:
    """Join the text of the blocks of one kind."""
    return "".join(block.text for block in blocks if block.kind == kind)


def guardrail_action(prompt: LocalPrompt) -> str:
    """Return the action of the guardrail."""
    return "INTERVENED" if guardrail.blocked_answer(prompt) else "NONE"


def with_guardrail_action(answer: Json, prompt: LocalPrompt, end: End) -> Json:
    """Add the guardrail's action and trace to a whole answer."""
    if prompt.guardrail is None:
        return answer
    body: Json = {**answer, "amazon-bedrock-guardrailAction": guardrail_action(prompt)}
    if end.trace:
        body["amazon-bedrock-trace"] = {"guardrail": _trace(end.trace)}
    return body


def _trace(trace: dict[str, Any]) -> Json:
    return {"input": trace["inputAssessment"], **{key: trace[key] for key in ("actionReason",) if key in trace}}


def metrics(model: Model, end: End) -> Json:
    """Write the invocation metrics of the last chunk."""
    spent = end.usage
    cached = {"cacheReadInputTokenCount": spent.cache_read, "cacheWriteInputTokenCount": spent.cache_write}
    return {
        "inputTokenCount": spent.input,
        "outputTokenCount": spent.output,
        "invocationLatency": end.latency_ms,
        "firstByteLatency": end.first_byte_ms,
        **(cached if model.family in {"claude_messages", "nova"} else {}),
    }


def make_plan(
    request: InvokeRequest,
    prompt: LocalPrompt,
    chunking: Chunking,
    make_writer: Callable[[StreamStart], Writer],
    *,
    id_prefix: str = "",
    unknown_frame: LocalFrame = UNKNOWN_CHUNK,
) -> Plan:
    """Plan an answer on InvokeModel; the invocation metrics are added to the family's writer."""
    return Plan(
        prompt=prompt,
        chunking=chunking,
        id_prefix=id_prefix,
        make_writer=lambda start: MetricsWriter(make_writer(start), prompt),
        unknown_frame=unknown_frame,
        headers=request.response_headers,
    )
