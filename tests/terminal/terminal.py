"""Runs the command in a pseudo-terminal with a keyboard, or between pipes."""

import asyncio
import os
import re
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.waiting import patience

ARTESIAN = str(Path(sys.executable).parent / "artesian")

CTRL_C, CTRL_D = "\x03", "\x04"

# Makes the pseudo-terminal on standard input the one that controls the process, so that Ctrl-C is a signal to it.
_LOGIN = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
_STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_KEPT = ("ARTESIAN_", "AWS_")


class Ended(NamedTuple):
    """The result of a command."""

    status: int
    out: str
    err: str


def environment(**values: str) -> dict[str, str]:
    """Return an environment without a developer's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_KEPT)}
    return kept | {"TERM": "xterm-256color", "AWS_EC2_METADATA_DISABLED": "true"} | values


def left_in(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return [path.name for path in folder.iterdir()]


async def run(folder: Path, *arguments: str, stdin: str | None = None, **values: str) -> Ended:
    """Run a command between pipes to its end; without `stdin` there is nothing on standard input."""
    process = await asyncio.create_subprocess_exec(
        ARTESIAN,
        *arguments,
        cwd=folder,
        env=environment(**values),
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with patience():
        out, err = await process.communicate(None if stdin is None else stdin.encode())
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Terminal:
    """A program in a terminal of 100 columns. `shown` is what it has shown, without colours."""

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self._master = master
        self._process = process
        self._bytes = b""
        self._read_to = 0
        self._more = asyncio.Event()
        self._closed = False
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def shown(self) -> str:
        """The output so far, without colours."""
        return _STYLES.sub("", self._bytes.decode(errors="replace")).replace("\r\n", "\n")

    @property
    def raw(self) -> str:
        """The output so far, as received."""
        return self._bytes.decode(errors="replace")

    def _read(self) -> None:
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the program has closed its side
            chunk = b""
        self._bytes += chunk
        self._closed = not chunk
        if self._closed:
            asyncio.get_running_loop().remove_reader(self._master)
        self._more.set()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def expect(self, pattern: str) -> str:
        """Wait for output that matches, after the last match; return the output before it."""
        try:
            async with patience():
                while not (found := re.compile(pattern).search(self.shown, self._read_to)):
                    assert not self._closed, f"it ended without {pattern!r}: {self.shown!r}"
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"there was no {pattern!r}: {self.shown!r}") from None
        before = self.shown[self._read_to : found.start()]
        self._read_to = found.end()
        return before

    async def shows(self, pattern: str, *, within_s: float) -> bool:
        """Whether output that matches appears soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.expect(pattern)
                return True
        return False

    async def ended(self) -> int:
        """Wait for the end, and return the exit status."""
        async with patience():
            status = await self._process.wait()
            while not self._closed:
                self._more.clear()
                await self._more.wait()
        return status


@asynccontextmanager
async def terminal(folder: Path, *arguments: str, **values: str) -> AsyncIterator[Terminal]:
    """Run a command in a terminal."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (40, 100))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _LOGIN, ARTESIAN, *arguments),
        cwd=folder,
        env=environment(**values),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    program = Terminal(master, process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
