"""One running gateway under load, and the cores that the gateway and the load use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import tools
from bench.processes import Process

GATEWAY_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Bench:
    """One gateway that runs, and where."""

    process: Process
    port: int
    folder: Path
    scale: float = 1.0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def load(self, deltas: int, interval_ms: int, *, total: int, readers: int, open_ms: int = 0) -> dict[str, Any]:
        """Read streams of so many deltas, one each interval, and check that none failed."""
        asked = tools.request(model(deltas, interval_ms))
        total = max(readers, int(total * self.scale))
        measured = tools.load(self.folder, LOAD_CORE, self.port, asked, total=total, readers=readers, open_ms=open_ms)
        if measured["failures"] or measured["unfinished"]:
            raise RuntimeError(f"streams failed: {measured}")
        return measured

    def cost(self, deltas: int, interval_ms: int, **load: int) -> tuple[float, dict[str, Any]]:
        """The processor time that a load takes, in seconds, and what the readers measured."""
        before = self.process.cpu_s
        measured = self.load(deltas, interval_ms, **load)
        return self.process.cpu_s - before, measured


def model(deltas: int, interval_ms: int) -> str:
    """The id that tells the upstream what to send."""
    return f"anthropic.claude-bench-n{deltas}-i{interval_ms}"
