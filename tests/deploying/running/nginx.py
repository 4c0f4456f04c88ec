"""A real nginx with the configuration of `deploy/nginx`, except for addresses and the paths that it writes to."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploying.manifests import DEPLOY
from tests.failover.processes import http
from tests.harness import Json
from tests.waiting import eventually

PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


def binary() -> str:
    """Return the path of an nginx, or skip the test."""
    found = shutil.which("nginx", path=PLACES)
    if not found:
        pytest.skip("no nginx is here, on PATH or in /usr/sbin: Debian's package nginx brings one")
    return found


class Nginx:
    """An nginx in front of ports of this machine."""

    def __init__(self, *ports: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nginx"))
        self._program = binary()
        # It inherits the socket, as after an upgrade of nginx, so that no other process can take the port.
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        (self._folder / "nginx.conf").write_text(self._configuration())
        (self._folder / "upstream.conf").write_text(_upstream(ports))
        with listener, (self._folder / "said").open("wb") as said:
            self._process = subprocess.Popen(
                [self._program, "-p", self._folder, "-c", "nginx.conf", "-e", "stderr", "-g", _started_by()],
                env={"NGINX": f"{listener.fileno()};"},
                pass_fds=[listener.fileno()],
                stdout=said,
                stderr=said,
            )

    @property
    def url(self) -> str:
        """The URL of nginx."""
        return f"http://127.0.0.1:{self.port}"

    def _configuration(self) -> str:
        text = (DEPLOY / "nginx" / "nginx.conf").read_text()
        changes = {
            "listen 8080;": f"listen 127.0.0.1:{self.port};",
            "/tmp/": f"{self._folder}/",  # noqa: S108 - the replaced path
            "/dev/stdout": f"{self._folder}/access.log",
            "/dev/stderr": f"{self._folder}/error.log",
        }
        for ours, here in changes.items():
            assert ours in text
            text = text.replace(ours, here)
        return text

    async def ready(self) -> None:
        """Wait until it responds."""

        async def answers() -> bool:
            assert self._process.poll() is None, self.said
            async with http(self.url) as nginx:
                try:
                    return (await nginx.get("/metrics")).status_code == httpx.codes.NOT_FOUND
                except httpx.TransportError:
                    return False

        await eventually(answers)

    @property
    def said(self) -> str:
        """Return all of its output and logs."""
        written = [path for path in self._folder.rglob("*") if path.is_file() and not path.name.endswith(".conf")]
        return "\n".join(path.read_text(errors="replace") for path in written)

    async def logged(self, request_id: str) -> Json:
        """Wait for a request's line in the access log."""

        async def line() -> Json | None:
            text = (self._folder / "access.log").read_text()
            lines = [json.loads(line) for line in text.splitlines()]
            return next((found for found in lines if found["request_id"] == request_id), None)

        found: Json = await eventually(line)
        return found

    def remove(self) -> None:
        """Stop it and delete its files."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=5)
        shutil.rmtree(self._folder)


@contextmanager
def nginx(*ports: int) -> Iterator[Nginx]:
    """Run an nginx while the block lasts."""
    running = Nginx(*ports)
    try:
        yield running
    finally:
        running.remove()


def _upstream(ports: tuple[int, ...]) -> str:
    """Replace names by addresses; Debian's nginx does not resolve names again."""
    text = (DEPLOY / "nginx" / "upstream.conf").read_text()
    names = re.findall(r"server (artesian-\d):8000 resolve", text)
    assert len(names) == len(ports)
    for name, port in zip(names, ports, strict=True):
        text = text.replace(f"server {name}:8000 resolve", f"server 127.0.0.1:{port}")
    return re.sub(r"^resolver .*\n", "", text, flags=re.MULTILINE)


def _started_by() -> str:
    """Run in the foreground; root's workers remain root, so that they can write to the test's folder."""
    return "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
