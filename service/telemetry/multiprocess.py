"""Where workers put what they count, so that each of them can answer for all.

Imports nothing of prometheus_client, which looks for the directory when it is imported.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_folder() -> Iterator[None]:
    """Let the processes that are started in the block count together, beginning from nothing."""
    if given := os.environ.get(VARIABLE):
        Path(given).mkdir(parents=True, exist_ok=True)
        for file in Path(given).glob("*.db"):
            file.unlink()  # an earlier run's
        yield
        return
    with tempfile.TemporaryDirectory(prefix="artesian-metrics-") as folder:
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]
