"""Twice a second: how late the loop is, and how things stand just now."""

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

BEAT_S = 0.5
_STATM = "/proc/self/statm"
_SECOND_FIELD = 1  # resident pages


class ModelState(NamedTuple):
    """How a process stands with one model."""

    breaker_open: bool = False
    in_flight: int = 0
    held: int = 0
    limit: int = 0


class ProcessState(NamedTuple):
    """How a process stands: what a gauge shows."""

    open: int
    queued: int
    detached: int
    limit: int
    memory_bytes: int
    memory_limit_bytes: int
    journal_up: bool
    draining: bool
    lanes: Mapping[str, Sequence[ModelState]]
    """By the model's label; several models may share one."""


class Gauges:
    """Beats while its block lasts."""

    def __init__(self, metrics: MetricSet) -> None:
        self._standing: Callable[[], ProcessState] | None = None
        self._metrics = metrics
        self._timer: asyncio.TimerHandle | None = None
        self._cpu_s = 0.0
        self._models: set[str] = set()  # that have been shown: one that goes is shown as nothing
        self._statm: int | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._statm = os.open(_STATM, os.O_RDONLY)
        self._metrics.workers.set(1)
        self._metrics.build.labels(__version__).set(1)
        self._loop = asyncio.get_running_loop()
        self._next(self._loop.time() + BEAT_S)
        return self

    def show(self, standing: "Callable[[], ProcessState]") -> None:
        """Show from now on how the process stands."""
        self._standing = standing
        self.sample()

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        self._metrics.settle()
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None

    def _next(self, due: float) -> None:
        self._timer = self._loop.call_at(due, self._beat, due)

    def _beat(self, due: float) -> None:
        now = self._loop.time()
        self._metrics.lag.observe(max(0.0, now - due))
        self._next(now + BEAT_S)
        self.sample()

    def sample(self) -> None:
        """Set the gauges, and settle what was tallied."""
        metrics = self._metrics
        metrics.settle()
        cpu_s = time.process_time()
        metrics.cpu.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        if self._statm is not None:
            pages = int(os.pread(self._statm, 128, 0).split()[_SECOND_FIELD])
            metrics.resident.set(pages * os.sysconf("SC_PAGE_SIZE"))
        if self._standing is None:
            return
        stands = self._standing()
        metrics.open.set(stands.open)
        metrics.queued.set(stands.queued)
        metrics.detached.set(stands.detached)
        metrics.limit.set(stands.limit)
        metrics.memory.set(stands.memory_bytes)
        metrics.memory_limit.set(stands.memory_limit_bytes)
        metrics.journal_up.set(stands.journal_up)
        metrics.draining.set(stands.draining)
        self._show_lanes(stands.lanes)

    def _show_lanes(self, lanes: Mapping[str, Sequence[ModelState]]) -> None:
        metrics = self._metrics
        self._models |= lanes.keys()
        for model in self._models:
            these = lanes.get(model, ())
            metrics.breakers.labels(model).set(any(lane.breaker_open for lane in these))
            metrics.in_flight.labels(model).set(sum(lane.in_flight for lane in these))
            metrics.held_back.labels(model).set(sum(lane.held for lane in these))
            metrics.learned.labels(model).set(sum(lane.limit for lane in these))
