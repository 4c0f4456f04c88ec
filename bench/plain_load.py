"""The load generator where nothing compiles C: `python -m bench.plain_load PORT REQUEST_FILE TOTAL READERS OPEN_MS`.

Measures and prints what `load.c` does. It can be the bottleneck where many streams are read at once, so the overload
run is scaled down with it.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_STAMP = re.compile(rb'"text": ?"(\d{19})"')
_KEEP = 64  # bytes in which a stamp may be cut


class _Load:
    def __init__(self, port: int, asked: bytes, total: int) -> None:
        self.port = port
        self.asked = asked
        self.requests: Iterator[int] = iter(range(total))
        self.answers = self.failures = 0
        self.firsts: list[int] = []
        self.ages: list[int] = []

    async def read_streams(self, after_s: float) -> None:
        """Read one stream after the other on a connection, for as long as there are any to be asked for."""
        await asyncio.sleep(after_s)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for _ in self.requests:
            writer.write(self.asked)
            whole = await self._read_stream(reader)
            self.answers += 1
            self.failures += not whole
            if not whole:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()

    async def _read_stream(self, reader: asyncio.StreamReader) -> bool:
        sent, first, ok, kept = time.monotonic_ns(), True, False, b""
        while received := await reader.read(1 << 18):
            now = time.monotonic_ns()
            kept += received
            ok = ok or b"HTTP/1.1 200" in kept
            end = 0
            for stamp in _STAMP.finditer(kept):
                if first:
                    self.firsts.append((now - sent) // 1000)
                    first = False
                self.ages.append((now - int(stamp[1])) // 1000)
                end = stamp.end()
            over = kept.endswith(b"0\r\n\r\n")
            kept = kept[max(end, len(kept) - _KEEP) :]
            if over:
                return ok and not first
        return False


def _share(values: Sequence[int], part: float) -> int:
    return sorted(values)[int(part * (len(values) - 1))] if values else 0


async def _run(port: int, asked: bytes, total: int, readers: int, open_s: float) -> None:
    load, began = _Load(port, asked, total), time.monotonic()
    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        for number in range(readers):
            tasks.create_task(load.read_streams(open_s * number / readers))
    told = {
        "answers": load.answers,
        "failures": load.failures,
        "unfinished": total - load.answers,
        "deltas": len(load.ages),
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time(),
        "first_p50_us": _share(load.firsts, 0.5),
        "first_p99_us": _share(load.firsts, 0.99),
        "age_p50_us": _share(load.ages, 0.5),
        "age_p99_us": _share(load.ages, 0.99),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    _port, _file, _total, _readers, _open_ms = sys.argv[1:]
    asyncio.run(_run(int(_port), Path(_file).read_bytes(), int(_total), int(_readers), int(_open_ms) / 1000))
