"""Databases to keep conversations in: a file of SQLite's, or a PostgreSQL of the test's own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def sqlite(folder: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite+aiosqlite:///{folder}/conversations.db"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server that nobody else knows, and give its address; or skip where there is none to run."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL is here: initdb and postgres on PATH, or under /usr/lib/postgresql")
    initdb, postgres = programs
    user = "postgres" if os.getuid() == 0 else None  # it will not run as root
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        if user:
            shutil.chown(data, user)
        prepare = [initdb, "-D", data, "-U", "artesian", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C"]
        subprocess.run(prepare, check=True, capture_output=True, timeout=60, user=user, cwd=data)
        port = _free_port()
        serve = [postgres, "-D", data, "-p", str(port), "-k", "", "-h", "127.0.0.1", "-c", "fsync=off"]
        server = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=data)
        try:
            _wait_for(port)
            yield f"postgresql+asyncpg://artesian@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # end at once, whoever is connected
            server.wait(20)


def _programs() -> tuple[str, str] | None:
    folders = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    found = [shutil.which(name, path=folders) for name in ("initdb", "postgres")]
    return (found[0], found[1]) if found[0] and found[1] else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("PostgreSQL does not listen")
