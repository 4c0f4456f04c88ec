"""Who is measured: Artesian with each journal, the naive service, and the bare one."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.processes import python

ROOT = Path(__file__).parent.parent

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_EC2_METADATA_DISABLED": "true"}


class Gateway(NamedTuple):
    """One gateway: how it is started for a port and an upstream."""

    name: str
    command: list[str]
    environment: Mapping[str, str]


def _artesian(name: str, journal: str, port: int, upstream: str) -> Gateway:
    environment = _CREDENTIALS | {
        "ARTESIAN_BACKEND": "aws",
        "ARTESIAN_BEDROCK_ENDPOINT_URL": upstream,
        "ARTESIAN_REGION": "us-east-1",
        "ARTESIAN_PORT": str(port),
        "ARTESIAN_JOURNAL_URL": journal,
        "ARTESIAN_MAX_STREAMS": "2000",
        "ARTESIAN_LOG_LEVEL": "error",
    }
    return Gateway(name, python("-m", "service.cli", "serve"), environment)


def _floor(name: str, port: int, upstream: str) -> Gateway:
    command = python(
        "-m", "uvicorn", f"bench.{name}:app", "--port", str(port), "--log-level", "error", "--loop", "asyncio"
    )
    return Gateway(name, command, _CREDENTIALS | {"BENCH_UPSTREAM": upstream, "PYTHONPATH": str(ROOT)})


def gateway(name: str, port: int, upstream: str, folder: Path, valkey: str | None) -> Gateway:
    """Describe a gateway by its name."""
    match name:
        case "naive" | "raw":
            return _floor(name, port, upstream)
        case "artesian-sqlite":
            return _artesian(name, f"sqlite:///{folder / 'journal.db'}", port, upstream)
        case "artesian-valkey" if valkey:
            return _artesian(name, valkey, port, upstream)
    return _artesian(name, "memory://", port, upstream)
