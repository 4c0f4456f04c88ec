"""Databases for conversations: a SQLite file, or a PostgreSQL server for one test."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import asyncpg
import pytest

from tests.waiting import eventually_blocking


def sqlite(folder: Path) -> str:
    """The address of a file that does not exist yet."""
    return f"sqlite+aiosqlite:///{folder}/conversations.db"


class Postgres:
    """A server with its own folder, which can be stopped and started again."""

    def __init__(self, postgres: str, data: str, user: str | None) -> None:
        self._port = _free_port()
        self._data = data
        self._user = user
        self._command = [postgres, "-D", data, "-p", str(self._port), "-k", "", "-h", "127.0.0.1", "-c", "fsync=off"]
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+asyncpg://artesian@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(self._command, stdout=quiet, stderr=quiet, user=self._user, cwd=self._data)
        eventually_blocking(lambda: _listens(self._port))

    def stop(self) -> None:
        """Stop it at once, with its connections."""
        if self._server:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(20)
            self._server = None

    async def execute(self, *statements: str) -> None:
        """Run statements as an operator, whatever the server's defaults are, each in its own transaction."""
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            await connection.execute("SET default_transaction_read_only = off")
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server and return its address; skip the test if PostgreSQL is not installed."""
    with postgres_server() as server:
        yield server.url


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server for one test."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: initdb and postgres on PATH, or under /usr/lib/postgresql")
    initdb, postgres = programs
    user = "postgres" if os.getuid() == 0 else None  # it does not run as root
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        if user:
            shutil.chown(data, user)
        copy = ["cp", "-a", f"{_cluster(initdb, user)}/.", data]
        subprocess.run(copy, check=True, capture_output=True, timeout=60, user=user, cwd=data)
        server = Postgres(postgres, data, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@cache
def _cluster(initdb: str, user: str | None) -> str:
    """Make an empty cluster, once for all servers of this process."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    if user:
        shutil.chown(folder.name, user)
    make = [initdb, "-D", folder.name, "-U", "artesian", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C"]
    subprocess.run(make, check=True, capture_output=True, timeout=60, user=user, cwd=folder.name)
    return folder.name


def _programs() -> tuple[str, str] | None:
    folders = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    found = [shutil.which(name, path=folders) for name in ("initdb", "postgres")]
    return (found[0], found[1]) if found[0] and found[1] else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
