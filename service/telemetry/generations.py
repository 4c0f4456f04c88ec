"""Listeners of one generation and of its calls, for the metrics, the trace and the log line at its end."""

import logging
from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, ParamSpec, Protocol

from service.deltas import Done, Failed, Metrics, StopReason, Usage
from service.generation import Request
from service.telemetry.context import current_request
from service.telemetry.labels import ModelNames
from service.telemetry.metrics import MetricSet as Counted

if TYPE_CHECKING:
    from service.telemetry.traces import CallSpan, GenerationSpan, Traces

P = ParamSpec("P")

logger = logging.getLogger("service.generations")
_errors = logging.getLogger(__name__)

CANCELLED = "cancelled"
OK = "ok"


def log_errors(method: Callable[P, None]) -> Callable[P, None]:
    """Log exceptions of a method: an error in telemetry must not end an answer."""

    @wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, it must not reach the engine
            _errors.exception("An error in telemetry is ignored")

    return wrapper


class GenerationContext(Protocol):
    """What a generation's listener needs of the process's listener."""

    metrics: Counted
    names: ModelNames
    traces: "Traces | None"


class CallListener:
    """Listens to one call upstream."""

    __slots__ = ("_generation", "_labels", "_request_id", "_span")

    def __init__(self, generation: "Generation", labels: tuple[str, str], span: "CallSpan | None") -> None:
        self._generation = generation
        self._labels = labels
        self._span = span
        self._request_id: str | None = None

    def answered(self, request_id: str | None) -> None:
        """Store the AWS request id."""
        self._request_id = request_id

    @log_errors
    def ended(self, outcome: str, request_id: str | None = None) -> None:
        """Count the call."""
        request_id = self._request_id or request_id
        model, operation = self._labels
        metrics = self._generation.telemetry.metrics
        metrics.calls.note(model, operation, outcome)
        if outcome == "throttled":
            metrics.throttles.labels(model).inc()
        self._generation.request_id = request_id or self._generation.request_id
        if self._span:
            self._span.end(outcome, request_id)


class Generation:
    """Listens to one generation."""

    __slots__ = (
        "_began",
        "_between",
        "_caller",
        "_last",
        "_model",
        "_model_id",
        "_queued_at",
        "_queued_s",
        "_span",
        "_stream_id",
        "_surface",
        "_taken_over",
        "request_id",
        "telemetry",
    )

    def __init__(
        self,
        telemetry: GenerationContext,
        stream_id: str,
        caller: str,
        surface: str,
        request: Request,
        base_id: str,
        *,
        taken_over: bool,
    ) -> None:
        self.telemetry = telemetry
        self.request_id: str | None = None
        self._stream_id = stream_id
        self._caller = caller
        self._surface = surface
        self._model_id = request.model_id
        self._taken_over = taken_over
        self._model = telemetry.names.label(request.model_id, base_id)
        self._between = telemetry.metrics.between.of(self._model)
        self._began = monotonic()
        self._last = 0.0
        self._queued_at: float | None = None
        self._queued_s = 0.0
        self._span: GenerationSpan | None = None
        if telemetry.traces:
            self._span = telemetry.traces.generation(stream_id, caller, surface, request, taken_over=taken_over)
        if taken_over:
            telemetry.metrics.takeovers.labels(self._model).inc()
        elif http_request := current_request():
            http_request.began = True

    def queued(self, place: int) -> None:  # noqa: ARG002 - how long it takes is what counts
        """Note when the wait started."""
        if self._queued_at is None:
            self._queued_at = monotonic()

    @log_errors
    def admitted(self) -> None:
        """Observe the wait, if there was one."""
        if self._queued_at is not None:
            self._queued_s = monotonic() - self._queued_at
            self._queued_at = None
            self.telemetry.metrics.queue_wait.observe(self._queued_s)

    def call(self, model_id: str, base_id: str, operation: str) -> CallListener:
        """Start to listen to a call."""
        span = self._span.call(model_id, operation) if self._span else None
        return CallListener(self, (self.telemetry.names.label(model_id, base_id), operation), span)

    def shown(self, now: float) -> None:
        """Observe the time since the last batch. `now` is the loop's clock, which is `monotonic`."""
        last, self._last = self._last, now
        if last:
            self._between.note(now - last)
        elif not self._taken_over:
            self._first(now - self._began)

    @log_errors
    def _first(self, seconds: float) -> None:
        self.telemetry.metrics.first_token.of(self._model).note(seconds)
        if self._span:
            self._span.first_token(seconds)

    @log_errors
    def turned(self, turn: str, code: str, delay_s: float = 0.0) -> None:
        """Count the reason of a further call."""
        metrics = self.telemetry.metrics
        match turn:
            case "retry":
                metrics.retries.labels(self._model, code).inc()
            case "continuation":
                metrics.continuations.labels(self._model).inc()
            case "restart":
                metrics.restarts.labels(self._model).inc()
            case "fallback":
                metrics.fallbacks.labels(self._model).inc()
            case "hedge":
                metrics.hedges.labels(self._model).inc()
        if self._span:
            self._span.turned(turn, code, delay_s)

    @log_errors
    def detached(self) -> None:
        """Count that the last reader left."""
        self.telemetry.metrics.left.inc()

    @log_errors
    def ended(self, end: Done | Failed, usage: Usage, metrics: Metrics, events: int) -> None:
        """Count the generation, end its span and write its log line."""
        outcome = outcome_of(end)
        self._queued_s += 0.0 if self._queued_at is None else monotonic() - self._queued_at
        self._count(end, outcome, usage, metrics)
        if logger.isEnabledFor(logging.INFO):
            self._log(end, outcome, usage, metrics, events)
        if self._span:
            self._span.end(end, outcome, usage, metrics)

    def _log(self, end: Done | Failed, outcome: str, usage: Usage, metrics: Metrics, events: int) -> None:
        line = {
            "stream_id": self._stream_id,
            "key_id": self._caller,
            "surface": self._surface,
            "model_id": self._model_id,
            "answered_by": metrics.model_id,
            "outcome": outcome,
            "stop_reason": end.stop_reason.value if isinstance(end, Done) else None,
            "partial": end.partial if isinstance(end, Failed) else None,
            "taken_over": self._taken_over or None,
            "events": events,
            "attempts": metrics.attempts,
            "latency": metrics.latency,
            "time_to_first_token": metrics.time_to_first_token,
            "gateway_time": metrics.gateway_time,
            "queue_wait": round(self._queued_s, 6) or None,
            **{f"{kind}_tokens": count for kind, count in _kinds(usage)},
            "estimated": usage.estimated or None,
            "aws_request_id": self.request_id,
            "trace_id": self._span.trace_id if self._span else None,
        }
        logger.info(
            "Generation ended: %s", outcome, extra={name: value for name, value in line.items() if value is not None}
        )

    @log_errors
    def moved(self) -> None:
        """Log that another process continues the generation and counts it when it ends."""
        logger.info("Generation moved", extra={"stream_id": self._stream_id, "key_id": self._caller})
        if self._span:
            self._span.moved()

    def _count(self, end: Done | Failed, outcome: str, usage: Usage, times: Metrics) -> None:
        metrics, model = self.telemetry.metrics, self._model
        answered_by = self.telemetry.names.label(times.model_id or "", default=model)  # a fallback, perhaps
        metrics.requests.note(self._surface, model, outcome)
        metrics.key_requests.note(self._caller, outcome)
        if isinstance(end, Done) and outcome == OK:
            metrics.stops.note(answered_by, end.stop_reason.value)
        for kind, count in _kinds(usage):
            metrics.tokens.note(answered_by, kind, by=count)
            metrics.key_tokens.note(self._caller, kind, by=count)
        if times.latency is not None:
            metrics.duration.of(model, outcome).note(times.latency)
        if times.gateway_time is not None:
            metrics.request_added.note(max(0.0, times.gateway_time - self._queued_s))


def outcome_of(end: Done | Failed) -> str:
    """Name an end: `ok`, `cancelled`, or the code of the failure. A truncated answer is never `ok`."""
    if isinstance(end, Failed):
        return end.code
    return CANCELLED if end.stop_reason is StopReason.CANCELLED else OK


def _kinds(usage: Usage) -> list[tuple[str, int]]:
    """Return the known token counts by kind."""
    counts = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    return [(kind, count) for kind, count in counts.items() if count is not None]
