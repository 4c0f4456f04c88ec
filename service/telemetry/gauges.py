"""Samples the lag of the event loop and the state of the process twice a second."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from service import __version__
from service.telemetry.metrics import MetricSet

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S = 0.5
_STATM = "/proc/self/statm"
_SECOND_FIELD = 1  # resident pages


class ModelState(NamedTuple):
    """The state of a process regarding one model."""

    breaker_open: bool = False
    in_flight: int = 0
    held: int = 0
    limit: int = 0


class ProcessState(NamedTuple):
    """The state of a process, as its gauges show it."""

    open: int
    queued: int
    detached: int
    limit: int
    memory_bytes: int
    memory_limit_bytes: int
    journal_up: bool
    draining: bool
    models: Mapping[str, Sequence[ModelState]]
    """By the model's label; several models may have the same."""


class Gauges:
    """Samples while its block lasts."""

    def __init__(self, metrics: MetricSet) -> None:
        self._read_state: Callable[[], ProcessState] | None = None
        self._metrics = metrics
        self._timer: asyncio.TimerHandle | None = None
        self._cpu_s = 0.0
        self._models: set[str] = set()  # models with gauges: one that disappears is set to 0
        self._statm: int | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._statm = os.open(_STATM, os.O_RDONLY)
        self._metrics.workers.set(1)
        self._metrics.build.labels(__version__).set(1)
        self._loop = asyncio.get_running_loop()
        self._next(self._loop.time() + PERIOD_S)
        return self

    def sample_from(self, read_state: "Callable[[], ProcessState]") -> None:
        """Sample the result of `read_state` from now on."""
        self._read_state = read_state
        self.sample()

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        self._metrics.settle()
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None

    def _next(self, due: float) -> None:
        self._timer = self._loop.call_at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        now = self._loop.time()
        self._metrics.lag.observe(max(0.0, now - due))
        self._next(now + PERIOD_S)
        self.sample()

    def sample(self) -> None:
        """Set the gauges, and settle batched observations."""
        metrics = self._metrics
        metrics.settle()
        cpu_s = time.process_time()
        metrics.cpu.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        if self._statm is not None:
            pages = int(os.pread(self._statm, 128, 0).split()[_SECOND_FIELD])
            metrics.resident.set(pages * os.sysconf("SC_PAGE_SIZE"))
        if self._read_state is None:
            return
        state = self._read_state()
        metrics.open.set(state.open)
        metrics.queued.set(state.queued)
        metrics.detached.set(state.detached)
        metrics.limit.set(state.limit)
        metrics.memory.set(state.memory_bytes)
        metrics.memory_limit.set(state.memory_limit_bytes)
        metrics.journal_up.set(state.journal_up)
        metrics.draining.set(state.draining)
        self._set_model_gauges(state.models)

    def _set_model_gauges(self, models: Mapping[str, Sequence[ModelState]]) -> None:
        metrics = self._metrics
        self._models |= models.keys()
        for model in self._models:
            these = models.get(model, ())
            metrics.breakers.labels(model).set(any(model_state.breaker_open for model_state in these))
            metrics.in_flight.labels(model).set(sum(model_state.in_flight for model_state in these))
            metrics.held_back.labels(model).set(sum(model_state.held for model_state in these))
            metrics.learned.labels(model).set(sum(model_state.limit for model_state in these))
