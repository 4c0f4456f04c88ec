"""Three times as much as fits: what is still finished, how quickly the rest is refused, and how health answers.

A service of its own with few places, so that one core has enough for those and the figures are of the queue and the
refusals, not of a machine out of breath. Requests come at a rate, whatever becomes of those before them, as they do
from many callers; none is tried again.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import tools
from bench.bench import GATEWAY_CORE, LOAD_CORE, Bench, model
from bench.gateways import gateway
from bench.processes import Process, free_port, running

if TYPE_CHECKING:
    from pathlib import Path

_PLACES, _QUEUE, _QUEUE_TIMEOUT_S = 100, 50, 2
_DELTAS, _INTERVAL_MS = 50, 20  # a stream of one second
_SECONDS = 12.0
_WARM_S = 2.0  # until the places and the queue are taken
_PROBE_S = 0.05
_PATIENCE_S = 30.0
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@dataclass
class Seen:
    """What the callers of one run saw. Times are in milliseconds, without those of the first moments."""

    finished: int = 0
    tokens: int = 0
    refused_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def goodput(self) -> float:
        """Tokens a second of streams that came to their end."""
        return self.tokens / self.seconds


def capacity(bench: Bench) -> dict[str, float]:
    """Goodput at three times capacity against its peak at capacity, refusals, health, memory."""
    with _service(bench.folder) as (process, port):
        fits = _PLACES / (_DELTAS * _INTERVAL_MS / 1000)  # streams a second
        _run(port, fits / 2, _WARM_S)
        peak = _run(port, fits, _SECONDS * bench.scale)
        before = process.memory_kb
        over = _run(port, fits * 3, _SECONDS * bench.scale)
        grown = process.memory_kb - before
    if peak.failed or over.failed:
        raise RuntimeError(f"streams failed: {(peak.failed + over.failed)[:3]}")
    best = max(peak.goodput, over.goodput)
    return {
        "capacity_peak_tokens_s": best,
        "capacity_goodput_tokens_s": over.goodput,
        "capacity_goodput_share": over.goodput / best,
        "capacity_refused": float(len(over.refused_ms)),
        "capacity_refusal_p50_ms": statistics.median(over.refused_ms),
        "capacity_refusal_p99_ms": _p99(over.refused_ms),
        "capacity_health_p50_ms": statistics.median(over.health_ms),
        "capacity_health_p99_ms": _p99(over.health_ms),
        "capacity_memory_mb": grown / 1024,
    }


@contextmanager
def _service(folder: "Path") -> Iterator[tuple[Process, int]]:
    """An upstream, and a service in front of it that has few places."""
    upstream, port = free_port(), free_port()
    described = gateway("artesian", port, f"http://127.0.0.1:{upstream}", folder, None)
    limits = {
        "ARTESIAN_MAX_STREAMS": str(_PLACES),
        "ARTESIAN_MAX_QUEUE": str(_QUEUE),
        "ARTESIAN_QUEUE_TIMEOUT": str(_QUEUE_TIMEOUT_S),
    }
    with (
        running([str(folder / "upstream"), str(upstream)], LOAD_CORE, {}, folder),
        running(described.command, GATEWAY_CORE, {**described.environment, **limits}, folder) as process,
    ):
        process.wait_until_up(port, "/healthz")
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            yield process, port
        finally:
            os.sched_setaffinity(0, mine)


def _run(port: int, rate: float, seconds: float) -> Seen:
    return asyncio.run(_load(port, rate, seconds))


async def _load(port: int, rate: float, seconds: float) -> Seen:
    """Send requests at a rate for so long, and wait for what becomes of them."""
    seen, asked = Seen(), tools.request(model(_DELTAS, _INTERVAL_MS))
    began = time.perf_counter()
    async with asyncio.timeout(seconds + _PATIENCE_S), asyncio.TaskGroup() as tasks:
        probing = tasks.create_task(_probe(port, seen, began))
        callers = []
        for number in range(int(rate * seconds)):
            await _until(began + number / rate)
            callers.append(tasks.create_task(_call(port, asked, seen, began)))
        await asyncio.gather(*callers)
        probing.cancel()
    seen.seconds = time.perf_counter() - began
    return seen


def _until(when: float) -> Awaitable[None]:
    return asyncio.sleep(max(0.0, when - time.perf_counter()))


async def _call(port: int, asked: bytes, seen: Seen, began: float) -> None:
    """Ask for one stream: it is finished, or refused, or something is wrong."""
    asked_at = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(asked)
        status = await reader.readline()
        if b" 503 " in status:
            if asked_at - began > _WARM_S:
                seen.refused_ms.append((time.perf_counter() - asked_at) * 1e3)
            return
        tokens, ended = await _read(reader)
        if b" 200 " in status and ended:
            seen.finished += 1
            seen.tokens += tokens
        elif b" 200 " not in status:
            seen.failed.append(status.decode())
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read a stream: how many deltas of text it had, and whether it came to its end."""
    tokens, tail = 0, b""
    while piece := await reader.read(65536):
        whole = tail + piece
        cut = whole.rfind(b"\n\n") + 1
        tokens += whole.count(b'data: {"text"', 0, cut)
        if (ended := b'"done":true' in whole) or b'"error":"' in whole:
            return tokens, ended
        tail = whole[cut:]
    return tokens, False


async def _probe(port: int, seen: Seen, began: float) -> None:
    """Look at the service's health again and again."""
    while True:
        asked_at = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_HEALTH)
        if b" 200 " not in await reader.readline():
            seen.failed.append("health")
        writer.close()
        if asked_at - began > _WARM_S:
            seen.health_ms.append((time.perf_counter() - asked_at) * 1e3)
        await asyncio.sleep(_PROBE_S)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
