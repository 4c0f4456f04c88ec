"""The engine's listener: counts, traces and logs for this process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from service.generation import Request
from service.telemetry.exposition import remove_gauges, render
from service.telemetry.gauges import Gauges
from service.telemetry.generations import Generation, log_errors
from service.telemetry.labels import ModelNames
from service.telemetry.metrics import MetricSet
from service.telemetry.readers import ReaderListener

if TYPE_CHECKING:
    from service.telemetry.traces import Traces


class Telemetry:
    """Listens to one process."""

    def __init__(self, names: ModelNames, traces: "Traces | None" = None) -> None:
        self.metrics = MetricSet()
        self.names = names
        self.traces = traces
        self.gauges = Gauges(self.metrics)

    def generation(
        self, stream_id: str, caller: str, surface: str, request: Request, base_id: str, *, taken_over: bool
    ) -> Generation:
        """Start to listen to a generation."""
        return Generation(self, stream_id, caller, surface, request, base_id, taken_over=taken_over)

    def reader(self, surface: str, *, resumed: bool) -> ReaderListener:
        """Start to listen to a reader."""
        return ReaderListener(self.metrics, surface, resumed=resumed)

    @log_errors
    def committed(self, seconds: float) -> None:
        """Observe a commit of the journal."""
        self.metrics.journal_commit.observe(seconds)

    @log_errors
    def evicted(self) -> None:
        """Count an eviction."""
        self.metrics.evicted.inc()

    @log_errors
    def refused(self, surface: str, caller: str, code: str) -> None:
        """Count a refused request for an answer. It has no model label."""
        self.metrics.requests.note(surface, "none", code)
        self.metrics.key_requests.note(caller, code)

    @log_errors
    def answered(self, route: str, method: str, status: int) -> None:
        """Count an HTTP request."""
        self.metrics.http.note(route, method, str(status))

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics as text, rendered in a thread: there may be thousands of lines, and files to read."""
        self.gauges.sample()
        return await asyncio.to_thread(render, self.metrics.registry, accept)


class TracedClient(Protocol):
    """Bedrock's client, as far as traces need it."""

    call_headers: Callable[[], Mapping[str, str]]

    @property
    def address(self) -> str:
        """The address of the calls."""


@asynccontextmanager
async def open_telemetry(
    names: ModelNames, upstream: TracedClient, *, endpoint: str | None
) -> AsyncIterator[Telemetry]:
    """Listen while the block lasts. `endpoint`: where traces are sent; None: nowhere."""
    traces = None
    if endpoint or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        from service.telemetry.traces import open_traces

        traces = await asyncio.to_thread(open_traces, endpoint, upstream.address)  # it imports a hundred modules
    telemetry = Telemetry(names, traces)
    if traces:
        upstream.call_headers = traces.call_headers
    try:
        with telemetry.gauges:
            yield telemetry
    finally:
        with suppress(OSError):
            remove_gauges()
        if traces:
            await traces.close()
