"""Two ways to start the command: executed, or forked from a template that has imported everything already."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.waiting import eventually, eventually_blocking

ARTESIAN = str(Path(sys.executable).parent / "artesian")
ROOT = Path(__file__).parents[2]


class Handle(Protocol):
    """What a test does to a process. Its leader's number is that of its group too."""

    pid: int

    def poll(self) -> int | None:
        """Its status once it has ended."""

    def send_signal(self, number: int) -> None:
        """Send it a signal."""

    def wait(self) -> int:
        """Wait for its end."""


def execute(arguments: list[str], environment: dict[str, str], folder: str, output: Path) -> Handle:
    """Start it as a shell does."""
    with output.open("wb") as said:
        return subprocess.Popen(
            [ARTESIAN, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def fork(arguments: list[str], environment: dict[str, str], folder: str, output: Path) -> Handle:
    """Start it from the template."""
    order = {"arguments": arguments, "environment": environment, "folder": folder, "output": str(output)}
    output.touch()
    return Forked(_given(order))


class Ended(NamedTuple):
    """A command that has ended."""

    status: int
    out: str
    err: str


async def ended(arguments: list[str], environment: dict[str, str], folder: Path) -> Ended:
    """Start a command from the template, in a folder, and wait for its end."""
    with tempfile.TemporaryDirectory() as aside:
        out, err, status = (Path(aside) / name for name in ("out", "err", "status"))
        files = {"output": str(out), "complaints": str(err), "status": str(status)}
        _given({"arguments": arguments, "environment": environment, "folder": str(folder), **files})
        await eventually(lambda: status.exists() and status.read_text().endswith("\n"))
        return Ended(int(status.read_text()), out.read_text(), err.read_text())


def _given(order: dict[str, Any]) -> int:
    """Give an order to the template; the new process's number."""
    template = _template()
    assert template.stdin
    assert template.stdout
    print(json.dumps(order), file=template.stdin, flush=True)
    return int(template.stdout.readline())


class Forked:
    """A process that is not our child: its end can be seen, its status cannot."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Whether it has ended, as a status."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end, which has been brought about."""
        eventually_blocking(lambda: self.poll() is not None)
        return 0


@cache
def _template() -> "subprocess.Popen[str]":
    """One for this process's tests; it ends with its input."""
    template = subprocess.Popen(
        [sys.executable, "-m", "tests.failover.template"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert template.stdout
    assert template.stdout.readline() == "ready\n"
    atexit.register(template.communicate)  # which ends its input
    return template
