"""The metrics: their names, labels and buckets. docs/operating.md describes them.

No label contains a text, a stream id or anything else of which clients could make many: models are named by
`ModelNames`, keys by the ids in the keys file, outcomes by our codes, routes by their templates.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from service.telemetry.batches import Counts, FoldedHistogram, Tallies, Tally

# The boundaries of OpenTelemetry's GenAI conventions: gen_ai.server.time_to_first_token, .time_per_output_token and
# .request.duration (semantic-conventions, docs/gen-ai/gen-ai-metrics.md, read 2026-11-24).
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
BETWEEN_TOKENS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
# Our additions, from a delta's 50 us on an idle loop to an overloaded process.
ADDED = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
QUEUE = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

W = TypeVar("W", Counts, Tally, Tallies)

_without_created: Callable[[], None] = disable_created_metrics
"""A further series for each metric with its creation time: Prometheus does not need it."""


class MetricSet:
    """All metrics of a process."""

    def __init__(self) -> None:
        _without_created()
        self.registry = CollectorRegistry()
        self._waiting: list[Counts | Tally | Tallies] = []
        self.reading = 0
        """Connections that read a stream."""
        self._requests()
        self._times()
        self._upstream()
        self._streams()
        self._process()

    def _requests(self) -> None:
        self.requests = self._counts(
            "artesian_requests_total", "Requests for an answer, by outcome", ["surface", "model", "outcome"]
        )
        self.key_requests = self._counts("artesian_key_requests_total", "Requests by key id", ["key", "outcome"])
        self.http = self._counts(
            "artesian_http_requests_total", "HTTP requests that were answered", ["route", "method", "status"]
        )
        self.stops = self._counts("artesian_stops_total", "Answers, by stop reason", ["model", "stop_reason"])
        self.tokens = self._counts(
            "artesian_tokens_total", "Tokens of all attempts; reasoning is part of output", ["model", "kind"]
        )
        self.key_tokens = self._counts("artesian_key_tokens_total", "Tokens by key id", ["key", "kind"])

    def _times(self) -> None:
        self.first_token = self._tallies(
            "artesian_time_to_first_token_seconds", "From the request to the first delta", ["model"], FIRST_TOKEN
        )
        self.duration = self._tallies(
            "artesian_generation_duration_seconds", "From the request to its end", ["model", "outcome"], DURATION
        )
        self.between = self._tallies(
            "artesian_time_between_deltas_seconds", "Between two batches of one answer", ["model"], BETWEEN_TOKENS
        )
        self.request_added = self._tally(
            "artesian_request_added_seconds", "Time of a request without Bedrock, the queue and pauses before retries"
        )
        self.delta_added = self._tally(
            "artesian_delta_added_seconds", "From a read of Bedrock to the write to a waiting reader"
        )
        self.queue_wait = Histogram(
            "artesian_queue_wait_seconds", "Time in the queue, if any", buckets=QUEUE, registry=self.registry
        )

    def _upstream(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.calls = self._counts(
            "artesian_upstream_calls_total", "Calls to Bedrock, by outcome", ["model", "operation", "outcome"]
        )
        self.retries = counter(
            "artesian_upstream_retries_total", "Calls repeated before the first text", ["model", "code"]
        )
        self.throttles = counter("artesian_upstream_throttles_total", "Calls that Bedrock throttled", ["model"])
        self.continuations = counter("artesian_continuations_total", "Continuations of truncated answers", ["model"])
        self.restarts = counter("artesian_restarts_total", "Answers that were restarted for their reader", ["model"])
        self.fallbacks = counter("artesian_fallbacks_total", "Changes to another model", ["model"])
        self.hedges = counter("artesian_hedges_total", "Second calls in parallel to a slow first one", ["model"])
        self.takeovers = counter("artesian_takeovers_total", "Generations taken over from another process", ["model"])
        gauge = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        self.breakers = gauge("artesian_breakers_open", "Processes with an open circuit breaker", ["model"])
        self.in_flight = gauge("artesian_upstream_calls_in_flight", "Running calls to Bedrock", ["model"])
        self.held_back = gauge("artesian_upstream_calls_held", "Calls that wait for the learned limit", ["model"])
        self.learned = gauge(
            "artesian_upstream_learned_limit", "Concurrency limit learned from throttling; 0: none", ["model"]
        )

    def _streams(self) -> None:
        gauge = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        counter = partial(Counter, registry=self.registry)
        self.open = gauge("artesian_streams_open", "Running and queued generations")
        self.limit = gauge("artesian_streams_limit", "Limit of running generations: MAX_STREAMS of each process")
        self.queued = gauge("artesian_streams_queued", "Queued generations")
        self.detached = gauge("artesian_streams_detached", "Running generations without a reader in their process")
        self.readers = gauge("artesian_readers", "Connections that read a stream")
        self.memory = gauge("artesian_stream_memory_bytes", "Estimated memory of stream logs")
        self.memory_limit = gauge("artesian_stream_memory_limit_bytes", "STREAM_MEMORY of each process")
        self.left = counter("artesian_streams_left_total", "Times that the last reader here left a running generation")
        self.resumed = counter("artesian_streams_resumed_total", "Readers that resumed a stream", ["surface"])
        self.evicted = counter("artesian_streams_evicted_total", "Finished streams evicted early for lack of memory")
        self.journal_up = Gauge(
            "artesian_journal_up",
            "1: the journal stores events",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.journal_commit = Histogram(
            "artesian_journal_commit_seconds", "Time to store a group of batches in the journal",
            buckets=LAG, registry=self.registry,
        )  # fmt: skip

    def _process(self) -> None:
        gauge = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        self.workers = gauge("artesian_workers", "Worker processes")
        self.draining = gauge("artesian_draining", "Processes that are draining")
        self.resident = gauge("artesian_resident_memory_bytes", "Memory of the processes")
        self.cpu = Counter("artesian_cpu_seconds_total", "Processor time of the processes", registry=self.registry)
        self.lag = Histogram(
            "artesian_event_loop_lag_seconds", "How late a timer ran", buckets=LAG, registry=self.registry
        )
        self.build = Gauge(
            "artesian_build_info",
            "1, with the version",
            ["version"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def _counts(self, name: str, help_text: str, labels: list[str]) -> Counts:
        return self._settled(Counts(Counter(name, help_text, labels, registry=self.registry)))

    def _tallies(self, name: str, help_text: str, labels: list[str], bounds: Sequence[float]) -> Tallies:
        return self._settled(
            Tallies(FoldedHistogram(name, help_text, labels, buckets=bounds, registry=self.registry), bounds)
        )

    def _tally(self, name: str, help_text: str) -> Tally:
        return self._settled(Tally(FoldedHistogram(name, help_text, buckets=ADDED, registry=self.registry), ADDED))

    def _settled(self, waiting: W) -> W:
        self._waiting.append(waiting)
        return waiting

    def settle(self) -> None:
        """Add batched observations to the metrics."""
        self.readers.set(self.reading)
        for waiting in self._waiting:
            waiting.settle()
