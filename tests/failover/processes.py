"""Artesian as it runs in production: `artesian serve` in processes, and one local Bedrock outside of them all."""

import json
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.failover.starting import Handle, execute, fork
from tests.harness import Json
from tests.waiting import PATIENCE_S, eventually

Start = Callable[[list[str], dict[str, str], str, Path], Handle]

LEASE_S = 0.5
SETTINGS: Json = {
    "port": 0,
    "backend": "aws",  # the local Bedrock is one for all, as Amazon's is
    "region": "us-east-1",
    "local_faults": True,
    "database_url": "sqlite+aiosqlite://",
    "lease": LEASE_S,
    "drain_timeout": 1,
    "log_format": "json",
    "commit_after": 0.2,
}


class Process:
    """A process in a group of its own, and the file that holds what it says."""

    def __init__(self, *arguments: str, start: Start = fork, **settings: Any) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARTESIAN_", "AWS_"))}
        clean |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_EC2_METADATA_DISABLED": "true"}
        clean |= {f"ARTESIAN_{name.upper()}": _written(value) for name, value in settings.items()}
        self._folder = tempfile.TemporaryDirectory()
        self._said = Path(self._folder.name) / "said"
        self.process = start(list(arguments), clean, self._folder.name, self._said)

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._said.read_text()

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    async def says(self, pattern: str) -> str:
        """Wait until it has said something, and return the first group of the pattern."""

        async def found() -> re.Match[str] | None:
            assert self.runs, f"it has ended: {self.said}"
            return re.search(pattern, self.said)

        match: re.Match[str] = await eventually(found)
        return match[1]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end, and return its status."""

        async def status() -> bool:
            return not self.runs

        await eventually(status)
        return self.process.wait()

    def remove(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self._folder.cleanup()


class Bedrock(Process):
    """The local Bedrock: `artesian local-bedrock`."""

    def __init__(self, *, rate: float = 0, **settings: Any) -> None:
        super().__init__("local-bedrock", "--port", "0", "--faults", local_rate=rate, **settings)
        self.url = ""

    async def ready(self) -> None:
        """Wait until it answers."""
        self.url = await self.says(r"Local Bedrock: (http://\S+)")

    async def all_calls(self) -> list[Json]:
        """What was asked, oldest first."""
        async with http(self.url) as bedrock:
            calls: list[Json] = (await bedrock.get("/_local/calls")).json()["calls"]
        return calls

    async def calls(self, stream_id: str) -> list[Json]:
        """What was asked for one stream, oldest first."""
        return [call for call in await self.all_calls() if call["key"] == stream_id]

    async def release(self, call: Json, times: int | None = None) -> None:
        """Open a call's gates: so many, or for good."""
        wanted = {"call": call["number"]} | ({} if times is None else {"times": times})
        async with http(self.url) as bedrock:
            (await bedrock.post("/_local/release", params=wanted)).raise_for_status()

    async def closed(self, call: Json) -> Json:
        """Wait until a call is over."""
        async with http(self.url) as bedrock:
            wanted: Json = {"state": "closed", "timeout": PATIENCE_S}
            response = await bedrock.get(f"/_local/calls/{call['number']}", params=wanted)
        assert response.status_code == 200, response.text
        over: Json = response.json()
        return over


class Replica(Process):
    """One instance of the service, with one worker or several."""

    def __init__(self, bedrock: Bedrock | None, journal_url: str, **settings: Any) -> None:
        given = SETTINGS | {"journal_url": journal_url} | settings
        if bedrock:
            given["bedrock_endpoint_url"] = bedrock.url
        self.workers_wanted = int(given.get("workers", 1))
        self.port = 0
        super().__init__("serve", start=execute if self.workers_wanted > 1 else fork, **given)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Wait until every worker serves."""
        self.port = int(await self.says(r"http://127\.0\.0\.1:(\d+)/"))
        await eventually(self._all_serve)

    async def _all_serve(self) -> bool:
        """Whether each worker has the socket open and answers on it: a new connection goes to any of them."""
        assert self.runs, f"it has ended: {self.said}"
        seen: set[int] = set()
        async with http(self.url) as service:
            for _ in range(3 * self.workers_wanted):
                with suppress(httpx.TransportError):
                    async with service.stream("GET", "/readyz") as response:
                        if response.status_code == 200:
                            seen.add(self.worker_of(response))
                if len(seen) == self.workers_wanted:
                    break
        return len(seen) >= self.workers_wanted

    @property
    def workers(self) -> list[int]:
        """The processes that serve."""
        if self.workers_wanted == 1:
            return [self.pid]
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children if _serves(int(child))]

    def worker_of(self, response: httpx.Response) -> int:
        """The process at the other end of a connection that is open."""
        if self.workers_wanted == 1:
            return self.pid
        inode = _inode(self.port, response.extensions["network_stream"].get_extra_info("client_addr")[1])
        return next(worker for worker in self.workers if inode in _sockets(worker))

    def holds(self, response: httpx.Response) -> bool:
        """Whether the service's end of a connection is still open; what it has sent may be on its way for long."""
        inode = _inode(self.port, response.extensions["network_stream"].get_extra_info("client_addr")[1])
        return any(inode in _sockets(worker) for worker in self.workers)

    async def readiness(self) -> Json:
        """What `/readyz` says, and its status."""
        async with http(self.url) as service:
            response = await service.get("/readyz")
        said: Json = response.json()
        return said | {"http": response.status_code}

    async def state(self, stream_id: str) -> Json:
        """How a stream stands, as this replica tells it."""
        async with http(self.url) as service:
            response = await service.get(f"/api/streams/{stream_id}", headers={"Accept": "application/json"})
        assert response.status_code == httpx.codes.OK, response.text
        told: Json = response.json()
        return told


def http(url: str) -> httpx.AsyncClient:
    """A client whose every request has a connection of its own."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False, verify=False)  # noqa: S501 - no TLS


@contextmanager
def started(*processes: Process) -> Iterator[None]:
    """Remove processes in the end."""
    try:
        yield
    finally:
        for process in processes:
            process.remove()


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _serves(pid: int) -> bool:
    """Whether it is a worker and not multiprocessing's own; a killed one is none."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _inode(local_port: int, remote_port: int) -> str:
    """The inode of a connection's socket; "0": nobody has it any more."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.partition(":")[2], 16) for address in fields[1:3])
        if (local, remote) == (local_port, remote_port):
            return fields[9]
    return "0"


def _sockets(pid: int) -> set[str]:
    found = set()
    for name in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(name.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found
