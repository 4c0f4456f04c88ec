"""What is done to a gateway, and what is read off it. docs/performance.md says what each figure means."""

import time
import urllib.request
from collections.abc import Callable

from bench import tools
from bench.bench import LOAD_CORE, Bench, model
from bench.capacity import capacity

Figures = dict[str, float]


def request(bench: Bench) -> Figures:
    """What a request costs apart from its deltas: streams of one delta, four at a time."""
    bench.load(1, 0, total=50, readers=4)  # warm
    cpu, measured = bench.cost(1, 0, total=600, readers=4)
    return {"request_ms": cpu / measured["answers"] * 1e3}


def first(bench: Bench) -> Figures:
    """Time to first token, alone: the upstream adds next to nothing."""
    measured = bench.load(1, 0, total=300, readers=1)
    return {"first_p50_ms": measured["first_p50_us"] / 1e3, "first_p99_ms": measured["first_p99_us"] / 1e3}


def _per_delta(bench: Bench, deltas: int, interval_ms: int, **load: int) -> float:
    """Processor time a delta, less what the requests cost, in microseconds."""
    fixed, few = bench.cost(1, 0, total=200, readers=4)
    cpu, measured = bench.cost(deltas, interval_ms, **load)
    of_requests = fixed / few["answers"] * measured["answers"]
    return float((cpu - of_requests) / measured["deltas"] * 1e6)


def flat(bench: Bench) -> Figures:
    """200 deltas as fast as they come, 16 streams at a time."""
    return {"flat_us": _per_delta(bench, 200, 0, total=240, readers=16)}


def paced20(bench: Bench) -> Figures:
    """One delta every 20 ms, 20 streams at once."""
    return {"paced20_us": _per_delta(bench, 150, 20, total=20, readers=20)}


def paced200(bench: Bench) -> Figures:
    """One delta every 20 ms, 200 streams at once."""
    return {"paced200_us": _per_delta(bench, 150, 20, total=200, readers=200)}


def neighbours(bench: Bench) -> Figures:
    """20 brisk streams beside 64 that say one word a second: the age of the brisk ones' deltas."""
    slow = tools.start_load(
        bench.folder, LOAD_CORE, bench.port, tools.request(model(4, 1000)), total=64, readers=64, open_ms=200
    )
    time.sleep(0.5)
    measured = bench.load(100, 20, total=20, readers=20)
    slow.communicate(timeout=60)
    return {"neighbours_p99_ms": measured["age_p99_us"] / 1e3}


def overload(bench: Bench) -> Figures:
    """1,000 streams of 50 deltas a second opened in a quarter of a second."""
    readers = 1000 if tools.compiled(bench.folder) else 100  # what Python reads without being the bottleneck
    measured = bench.load(100, 20, total=readers, readers=readers, open_ms=250)
    return {"overload_deltas_s": measured["deltas"] / measured["wall_s"], "overload_wall_s": measured["wall_s"]}


def open_streams(bench: Bench) -> Figures:
    """1,000 streams that are open at once: the memory each adds."""
    before = bench.process.memory_kb
    asked = tools.request(model(3, 3000))
    readers = tools.start_load(bench.folder, LOAD_CORE, bench.port, asked, total=1000, readers=1000, open_ms=1000)
    time.sleep(4.0)  # the last of them have had their first delta, and none its last
    if bench.process.open_files < 2 * 1000:  # a socket to the reader and one upstream
        raise RuntimeError(f"not all streams are open: {bench.process.open_files} files")
    grown = bench.process.memory_kb - before
    readers.communicate(timeout=60)
    return {"open_kb": grown / 1000}


def resume(bench: Bench) -> Figures:
    """Read a finished stream of 2,000 events again: what it costs, and how long it takes."""
    asked = tools.request(model(2000, 0)).split(b"\r\n\r\n", 1)[1]
    begun = urllib.request.Request(f"{bench.url}/api/generate/stream", asked, {"Content-Type": "application/json"})
    with urllib.request.urlopen(begun, timeout=30) as answer:
        stream_id = answer.headers["X-Stream-Id"]
        answer.read()
    cpu, started, times = bench.process.cpu_s, time.perf_counter(), 20
    for _ in range(times):
        again = urllib.request.Request(f"{bench.url}/api/streams/{stream_id}")
        with urllib.request.urlopen(again, timeout=30) as answer:
            answer.read()
    return {
        "resume_ms": (time.perf_counter() - started) / times * 1e3,
        "resume_cpu_ms": (bench.process.cpu_s - cpu) / times * 1e3,
    }


EVERYBODY: tuple[Callable[[Bench], Figures], ...] = (
    open_streams, request, first, flat, paced20, paced200, neighbours, overload,
)  # fmt: skip
OURS_ALONE: tuple[Callable[[Bench], Figures], ...] = (resume, capacity)
JOURNALS: tuple[Callable[[Bench], Figures], ...] = (request, flat, paced200)
