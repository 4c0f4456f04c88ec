"""Mixed load for minutes, while databases restart or turn read-only and processes are killed."""

import asyncio
import gc
import json
import os
import random
import re
import secrets
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conversations.databases import Postgres, postgres_server
from tests.failover.mixed_load import Load, output_text
from tests.failover.processes import SETTINGS, Bedrock, Replica, http, started
from tests.harness import Json, Service, running
from tests.streams.servers import Server
from tests.waiting import eventually, let_pass

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
CLIENTS = 12
GAUGES = re.compile(
    r"^artesian_(?:streams_(?:open|queued|detached)|readers|stream_memory_bytes|upstream_calls_(?:in_flight|held))"
    r"(?:{.*})? (?!0\.0$).*$",
    re.MULTILINE,
)
"""The lines of gauges that are zero when nothing happens, where they are not zero."""

GROWTH = 1.2  # the allocator's fragments: after the first quarter of the load, what is left grows no more than this


class Faults:
    """What fails during the load: the database, and two of three replicas. The third shows what is left over."""

    def __init__(self, replicas: list[Replica], start: Any, database: Postgres, chance: random.Random) -> None:
        self._replicas = replicas
        self._start = start
        self._database = database
        self._chance = chance
        self.happened: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Let one thing fail after another."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            fault = self._chance.choice((self._restart, self._read_only, self._kill))
            await let_pass(self._chance.uniform(1, 4))
            await fault()
            self.happened[fault.__name__] += 1

    async def _restart(self) -> None:
        await asyncio.to_thread(self._database.stop)
        await let_pass(self._chance.uniform(0, 3))
        await asyncio.to_thread(self._database.start)

    async def _read_only(self) -> None:
        reload = "SELECT pg_reload_conf()"
        await self._database.execute("ALTER SYSTEM SET default_transaction_read_only = on", reload)
        await let_pass(self._chance.uniform(0, 3))
        await self._database.execute("ALTER SYSTEM RESET ALL", reload)

    async def _kill(self) -> None:
        number = self._chance.randrange(len(self._replicas))
        self._replicas[number].signal(signal.SIGKILL)
        self._replicas[number] = await self._start(self._replicas[number].port)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
async def test_mixed_load_with_faults_loses_nothing_and_leaves_nothing(
    bedrock: Bedrock, valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    chance = random.Random(seed)  # noqa: S311 - a test's
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with postgres_server() as database, ExitStack() as stack:
        shared: Json = {"database_url": database.url, "stream_ttl": 15, "resume_grace": 2, "first_event_timeout": 5}
        shared |= {"idle_timeout": 2}

        all_replicas: list[Replica] = []

        async def start(port: int) -> Replica:
            replica = Replica(bedrock, valkey.url, port=port, **shared)
            stack.enter_context(started(replica))
            await replica.ready()
            all_replicas.append(replica)
            return replica

        replicas = list(await asyncio.gather(*(start(free_port()) for _ in range(2))))
        here = SETTINGS | shared | {"journal_url": valkey.url, "bedrock_endpoint_url": bedrock.url}
        async with running(**here) as survivor:
            load = Load([survivor.url, *(replica.url for replica in replicas)], chance)
            faults = Faults(replicas, start, database, chance)
            async with left_over(survivor) as checkpoint:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(load.run(CLIENTS))
                    await faults.run(SECONDS / 4)
                    checkpoint()
                    await faults.run(SECONDS * 3 / 4)
                    load.stop()
                for url in load.urls:
                    with suppress(TimeoutError):
                        await eventually(partial(is_idle, url), every_s=0.2)
                    left = [call for call in await bedrock.all_calls() if call["state"] != "closed"]
                    assert await above_zero(url) == [], json.dumps(left)
            print(dict(load.answers), dict(faults.happened))  # noqa: T201 - for who reads the log of a soak

            assert not load.unexpected, "\n".join(load.unexpected)
            assert load.answers["success"] > SECONDS
            errors = [line for replica in all_replicas for line in replica.said.splitlines() if '"ERROR"' in line]
            assert not errors, "\n".join(errors)
            absent = await missing(load, survivor.http)
            assert not absent, "\n".join(absent)
            assert [call for call in await bedrock.all_calls() if call["state"] != "closed"] == []


@asynccontextmanager
async def left_over(service: Service) -> AsyncIterator[Any]:
    """Compare the tasks and the memory of this process before and after the block, from a checkpoint on."""
    (await service.http.post("/api/conversations")).raise_for_status()  # the tasks of the database run from now on
    tasks = names_of_tasks()
    resident: list[int] = []

    def measure() -> None:
        gc.collect()
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]))

    yield measure
    with suppress(TimeoutError):
        await eventually(lambda: not names_of_tasks() - tasks)
    assert not names_of_tasks() - tasks
    measure()
    assert resident[-1] <= GROWTH * resident[0], f"{resident} pages"


def names_of_tasks() -> Counter[str]:
    """Count the tasks of the loop by their coroutine."""
    return Counter(str(getattr(task.get_coro(), "__qualname__", task)) for task in asyncio.all_tasks())


async def above_zero(url: str) -> list[str]:
    """Name the gauges of a replica that count a generation, a reader, a call or a stream in memory."""
    async with http(url) as service:
        metrics = (await service.get("/metrics")).text
    assert "artesian_streams_open" in metrics
    return GAUGES.findall(metrics)


async def is_idle(url: str) -> bool:
    """Whether all gauges of a replica are zero."""
    return await above_zero(url) == []


async def missing(load: Load, service: httpx.AsyncClient) -> list[str]:
    """Name what was acknowledged as stored and cannot be read."""
    absent = []
    for name, text in load.responses.items():
        response = await service.get(f"/v1/responses/{name}")
        if response.status_code != httpx.codes.OK:
            absent.append(f"{name}: {response.text}")
        elif hash(output_text(response.json())) != text:
            absent.append(f"{name}: another text: {response.text}")
    for name, texts in load.messages.items():
        shown = (await service.get(f"/api/conversations/{name}")).json().get("messages", [])
        stored = [hash("".join(block.get("text", "") for block in message["content"])) for message in shown]
        absent += [name for text in texts if text not in stored]
    return absent


def free_port() -> int:
    """A port that nothing listens on; a replica that replaces a killed one takes its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
