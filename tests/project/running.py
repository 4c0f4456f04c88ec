"""`artesian serve` as a process, as `make run` starts it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ARTESIAN = str(Path(sys.executable).parent / "artesian")


@dataclass
class Running:
    """A service that has said its welcome."""

    process: subprocess.Popen[str]
    welcome: str

    @property
    def url(self) -> str:
        """Where it is."""
        return str(re.findall(r"http://127\.0\.0\.1:\d+", self.welcome.split("Chat page")[1])[0])

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[str, int]:
        """Send a signal, and give what was said on standard error and the exit status."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return said, self.process.returncode


@contextmanager
def running(command: list[str] | None = None, **settings: str) -> Iterator[Running]:
    """Start the service on any free port, with nothing of the developer's own settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARTESIAN_", "AWS_"))}
    set_ = {f"ARTESIAN_{name.upper()}": value for name, value in {"port": "0", **settings}.items()}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command or [ARTESIAN, "serve"],
            cwd=folder,
            env={**clean, **set_},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Running(process, read_welcome(process))
        finally:
            process.kill()
            process.communicate()


def read_welcome(process: subprocess.Popen[str]) -> str:
    """What is printed up to the word on how to stop it."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return "".join(lines)
    raise AssertionError(f"it ended instead: {''.join(lines)}{process.stderr and process.stderr.read()}")
