"""`/metrics` as text: of this process, or of all workers that share a directory.

Each of several workers writes its values to files in `PROMETHEUS_MULTIPROC_DIR`, which the parent process creates;
prometheus_client looks for it when it is imported, so it has to exist before.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.multiprocess import MultiProcessCollector

from service.telemetry.multiprocess import VARIABLE


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return the metrics as text, and its content type. Reads files if there are workers."""
    encode, content_type = exposition.choose_encoder(accept)
    if folder := os.environ.get(VARIABLE):
        remove_gauges_of_dead_workers(Path(folder))
        registry = CollectorRegistry()
        collector: Any = MultiProcessCollector  # untyped
        collector(registry, folder)
    return encode(registry), content_type


def remove_gauges_of_dead_workers(folder: Path) -> None:
    """Delete the gauges of dead workers; their counters remain."""
    for file in folder.glob("gauge_live*_*.db"):
        if not _lives(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def remove_gauges() -> None:
    """Delete the gauges of this process, which is about to end."""
    if folder := os.environ.get(VARIABLE):
        for file in Path(folder).glob(f"gauge_live*_{os.getpid()}.db"):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):  # a process without an entry is dead
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return True
