"""Traces, if an endpoint is set: one span a generation and one a call upstream, without any content.

The only importer of OpenTelemetry. Names are those of its GenAI conventions for AWS Bedrock, as of semantic-conventions
1.38. Spans wait in a bounded queue for a thread that sends them (`OTEL_BSP_*`), so that a collector that refuses, hangs
or is unavailable does not delay a generation; spans beyond the bound are lost. `OTEL_TRACES_SAMPLER`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS` and the others have their standard meaning.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from service import __version__
from service.deltas import Done, Failed, Metrics, Usage
from service.generation import Request
from service.telemetry.context import current_request

FLUSH_S = 1.5
"""How long the end of the process waits for the last spans to be sent."""
_COMPLAIN_S = 60.0

_propagator = TraceContextTextMapPropagator()
_calling: ContextVar[Span | None] = ContextVar("calling", default=None)


class CallSpan:
    """The span of one call upstream."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, outcome: str, request_id: str | None) -> None:
        """End the span with the outcome."""
        if request_id:
            self._span.set_attribute("aws.request_id", request_id)
        if outcome == "cancelled":
            self._span.set_attribute("artesian.outcome", outcome)
        elif outcome != "ok":
            self._span.set_attribute("error.type", outcome)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class GenerationSpan:
    """The span of one generation."""

    __slots__ = ("_shared", "_span", "_traces")

    def __init__(self, traces: "Traces", span: Span, shared: Mapping[str, AttributeValue]) -> None:
        self._traces = traces
        self._span = span
        self._shared = shared

    @property
    def trace_id(self) -> str:
        """The trace id in the form of the log lines."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def call(self, model_id: str, operation: str) -> CallSpan:
        """Start the span of a call; the call's headers refer to it."""
        attributes = {**self._shared, "gen_ai.request.model": model_id, "rpc.method": operation}
        span = self._traces.tracer.start_span(
            f"{operation} {model_id}", set_span_in_context(self._span), SpanKind.CLIENT, attributes
        )
        _calling.set(span)
        return CallSpan(span)

    def first_token(self, seconds: float) -> None:
        """Record the time of the first token."""
        self._span.add_event("first_token", {"seconds": seconds})

    def turned(self, turn: str, code: str, delay_s: float) -> None:
        """Record a further call."""
        self._span.add_event(turn, {"error.type": code, "delay": delay_s})

    def end(self, end: Done | Failed, outcome: str, usage: Usage, metrics: Metrics) -> None:
        """End the span with the outcome."""
        values: dict[str, AttributeValue | None] = {
            "artesian.outcome": outcome,
            "artesian.attempts": metrics.attempts,
            "gen_ai.response.model": metrics.model_id,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        }
        if isinstance(end, Done):
            values["gen_ai.response.finish_reasons"] = (end.stop_reason.value,)
        else:
            values["error.type"] = end.code
            self._span.set_status(StatusCode.ERROR)
        self._span.set_attributes({name: value for name, value in values.items() if value is not None})
        self._span.end()

    def moved(self) -> None:
        """End the span; the process that continues starts another."""
        self._span.set_attribute("artesian.outcome", "moved")
        self._span.end()


class Traces:
    """The tracer of this process."""

    def __init__(self, provider: TracerProvider, upstream: str) -> None:
        self._provider = provider
        self.tracer = provider.get_tracer("artesian", __version__)
        address = urlsplit(upstream)
        self._server: dict[str, AttributeValue] = {
            "server.address": address.hostname or "",
            "server.port": address.port or (80 if address.scheme == "http" else 443),
        }

    def generation(
        self, stream_id: str, caller: str, surface: str, request: Request, *, taken_over: bool
    ) -> GenerationSpan:
        """Start the span of a generation, inside the trace of its client."""
        shared: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            **self._server,
        }
        if request.guardrail:
            shared["aws.bedrock.guardrail.id"] = request.guardrail.id
        own: dict[str, AttributeValue | None] = {
            **shared,
            "gen_ai.request.model": request.model_id,
            "gen_ai.request.max_tokens": request.max_tokens,
            "gen_ai.request.temperature": request.temperature,
            "gen_ai.request.top_p": request.top_p,
            "gen_ai.request.top_k": request.top_k,
            "gen_ai.output.type": "json" if request.output_schema else None,
            "artesian.stream_id": stream_id,
            "artesian.key_id": caller,
            "artesian.surface": surface,
            "artesian.taken_over": taken_over or None,
        }
        under_way = None if taken_over else current_request()
        parent = _propagator.extract(under_way.headers) if under_way else None
        attributes = {name: value for name, value in own.items() if value is not None}
        span = self.tracer.start_span(f"chat {request.model_id}", parent, SpanKind.SERVER, attributes)
        return GenerationSpan(self, span, shared)

    def call_headers(self) -> dict[str, str]:
        """Return the trace headers of the call that this task makes."""
        headers: dict[str, str] = {}
        if span := _calling.get():
            _propagator.inject(headers, set_span_in_context(span))
        return headers

    async def close(self) -> None:
        """Send queued spans, within a bound: in a daemon thread, since a running export cannot be cancelled."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=close, daemon=True, name="last spans").start()
        try:
            async with asyncio.timeout(FLUSH_S):
                await closed.wait()
        except TimeoutError:
            logging.getLogger(__name__).warning("The last spans could not be sent in time")


class OncePerMinute(logging.Filter):
    """Passes one line a minute, for an unavailable collector."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - all records are treated alike
        """Return whether a minute has passed since the last line."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _COMPLAIN_S
        return True


def open_traces(endpoint: str | None, upstream: str) -> Traces | None:
    """Set up tracing; None if OpenTelemetry's own variables turn it off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    for name in ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal"):
        logging.getLogger(name).addFilter(OncePerMinute())
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would log each connection that fails
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create(
        {"service.version": __version__} if named else {"service.name": "artesian", "service.version": __version__}
    )
    # The exporter reads its own variable for traces, and adds no path to an address that it is given.
    own = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    exporter = OTLPSpanExporter(endpoint=None if own or not endpoint else f"{endpoint.rstrip('/')}/v1/traces")
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, upstream)
