"""The directory in which workers share their metrics, so that each can expose those of all.

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
    """Share metrics between the processes that are started in the block, from zero."""
    if folder_name := os.environ.get(VARIABLE):
        Path(folder_name).mkdir(parents=True, exist_ok=True)
        for file in Path(folder_name).glob("*.db"):
            file.unlink()  # an earlier run's
        yield
        return
    with tempfile.TemporaryDirectory(prefix="artesian-metrics-") as folder:
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]
