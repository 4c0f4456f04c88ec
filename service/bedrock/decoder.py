"""What all decoders share: gapless indexes, the end of an answer, and the frame of a family's decoder."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import (
    ACTION,
    ADDED,
    METRICS,
    TRACE,
    Json,
    corrupt,
    count,
    header_timing,
    header_usage,
    metrics_usage,
    object_of,
    raise_if_error,
    truncated,
)
from service.deltas import SHOWN, Delta, GuardrailTrace, Stop, StopReason, TextDelta, Timing, Unknown, Usage
from service.generation import Request


class Blocks:
    """Numbers content blocks 0, 1, 2 … in the order in which they first show something, whatever the wire's indexes."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, int] = {}
        self._next = 0
        self._run: str | None = None

    def at(self, key: Hashable) -> int:
        """The index of the block that the wire calls `key`; a new one opens where it is first named."""
        index = self._by_key.get(key)
        if index is None:
            index = self._by_key[key] = self._next
            self._next += 1
            self._run = None
        return index

    def run(self, kind: str) -> int:
        """The index of the block that is being written, or of a new one where the last piece was of another kind."""
        if kind != self._run:
            self._run = kind
            self._next += 1
        return self._next - 1


class Ending:
    """How an answer on InvokeModel ends: in a stop reason, in Bedrock's metrics, or in a guardrail's word.

    The stop is told with the metrics, which stand in the last chunk of all but one of 49 recorded streams, because a
    guardrail may take the model's word back until then. What a family itself counts is kept; the metrics, which differ
    from it where Claude calls tools (recorded: 90 against 134), only fill in what it leaves out.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self._stop: Stop | None = None
        self._measured = False
        self._intervened = False
        self._told = False

    def stop(self, reason: StopReason, raw: str | None, sequence: str | None = None) -> None:
        """Note why the model stopped."""
        self._stop = Stop(reason, raw, sequence)

    def counted(self, usage: Usage) -> list[Delta]:
        """Take what the family itself counts, and tell it where it is new."""
        merged = self.usage.merged(usage)
        if merged == self.usage:
            return []
        self.usage = merged
        return [merged]

    def added(self, chunk: Json) -> list[Delta]:
        """Read what Bedrock added to a chunk."""
        deltas: list[Delta] = []
        if chunk.get(ACTION) == "INTERVENED":
            self._intervened = True
        if isinstance(trace := chunk.get(TRACE), dict):
            deltas.append(GuardrailTrace(trace.get("guardrail", trace)))
        if isinstance(metrics := chunk.get(METRICS), dict):
            self._measured = True
            deltas += self.counted(metrics_usage(metrics).merged(self.usage))
            deltas.append(Timing(count(metrics.get("invocationLatency")), count(metrics.get("firstByteLatency"))))
            deltas += self._tell()
        return deltas

    def whole(self, headers: Mapping[str, str]) -> list[Delta]:
        """End a whole answer, whose usage and clock are in its headers."""
        deltas = self.counted(header_usage(headers).merged(self.usage))
        return [*deltas, *header_timing(headers), *self._tell()]

    def finish(self) -> list[Delta]:
        """End at the body's clean end.

        Raises:
            UpstreamError: `upstream_truncated`: neither a stop reason nor the metrics nor a guardrail's word was seen.
        """
        if self._told:
            return []
        if not self.over:
            raise truncated()
        return self._tell()

    @property
    def over(self) -> bool:
        """Whether anything has said that the answer is over."""
        return self._stop is not None or self._measured or self._intervened

    def _tell(self) -> list[Delta]:
        if self._told:
            return []
        self._told = True
        stop = self._stop or Stop(StopReason.OTHER, None)
        if self._intervened:
            stop = Stop(StopReason.GUARDRAIL_INTERVENED, stop.raw)
        return [stop]


class ChunkDecoder(ABC):
    """The common frame of a family's decoder; a family says what its own members of a chunk mean."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        self.request = request
        self.model = model
        self.prefill = prefill
        self.blocks = Blocks()
        self.ending = Ending()

    def text(self, chunk: bytes) -> TextDelta | None:  # noqa: ARG002 - families whose streams are worth it look
        """Recognise nothing at first sight."""
        return None

    def decode(self, chunk: Any) -> list[Delta]:
        """Translate one chunk. Writer ends its streams with the JSON string `"[DONE]"` (litellm): it says nothing."""
        if not isinstance(chunk, dict):
            return []
        raise_if_error(chunk)
        if ADDED.isdisjoint(chunk):
            return self.read(chunk) if chunk else []
        own = self.read(chunk) if chunk.keys() - ADDED else []
        return own + self.ending.added(chunk)

    def finish(self) -> list[Delta]:
        """Close the answer at the body's clean end."""
        return [*self.flush(), *self.ending.finish()]

    def whole(self, answer: Any, headers: Mapping[str, str]) -> list[Delta]:
        """Translate a whole answer, whose members `read` knows too: one can come as a stream's only chunk."""
        deltas = [*self.decode(object_of(answer, "answer")), *self.flush()]
        if not self.ending.over and not any(isinstance(delta, SHOWN) for delta in deltas):
            raise corrupt("answer")
        return [*deltas, *self.ending.whole(headers)]

    def flush(self) -> list[Delta]:
        """Give what was held back until more of the text would come."""
        return []

    @abstractmethod
    def read(self, chunk: Json) -> list[Delta]:
        """Translate the family's own members, of which there is at least one."""


def unknown(chunk: Json) -> list[Delta]:
    """Name a chunk that holds nothing we have met, by its first member."""
    return [Unknown(next(name for name in chunk if name not in ADDED))]
