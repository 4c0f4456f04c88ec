"""A journal that fails under running streams, and comes back (docs/resuming.md, "When the journal is unavailable")."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.failover.conftest import Pair, pair_on
from tests.failover.processes import LEASE_S, Bedrock, http
from tests.failover.reader import Reader, question
from tests.harness import Json
from tests.streams.servers import Server
from tests.waiting import eventually

AWAY_S = 2 * LEASE_S


class Way(Protocol):
    """One way for a journal to fail."""

    def fail(self) -> None:
        """Let it fail."""

    def mend(self) -> None:
        """Let it be well again."""


class Killed:
    def __init__(self, server: Server) -> None:
        self._server = server

    def fail(self) -> None:
        self._server.kill()

    def mend(self) -> None:
        self._server.start()


class StandingStill(Killed):
    def fail(self) -> None:
        self._server.pause()

    def mend(self) -> None:
        self._server.resume()


class ReadOnly(Killed):
    def fail(self) -> None:
        self._server.command("REPLICAOF", "127.0.0.1", "1")

    def mend(self) -> None:
        self._server.command("REPLICAOF", "NO", "ONE")


class OutOfMemory(Killed):
    def fail(self) -> None:
        self._server.command("CONFIG", "SET", "maxmemory", "1")

    def mend(self) -> None:
        self._server.command("CONFIG", "SET", "maxmemory", "0")


class Locked:
    """Another process holds the file for itself."""

    def __init__(self, file: Path, pair: Pair) -> None:
        self._file, self._pair = file, pair
        self._holder: sqlite3.Connection | None = None

    def fail(self) -> None:
        self._holder = sqlite3.connect(self._file, isolation_level=None, timeout=5)
        self._holder.execute("BEGIN IMMEDIATE")

    def mend(self) -> None:
        if self._holder:
            self._holder.close()


class DiskFull(Locked):
    """No file may grow any more, as far as the processes are concerned."""

    def fail(self) -> None:
        self._limit(4096)

    def mend(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for replica in self._pair.replicas:
            resource.prlimit(replica.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


WAYS: dict[str, Callable[..., Way]] = {
    "valkey killed": Killed,
    "valkey stands still": StandingStill,
    "valkey read-only": ReadOnly,
    "valkey out of memory": OutOfMemory,
    "sqlite locked": Locked,
    "sqlite disk full": DiskFull,
}


@pytest.fixture(scope="session")
def frail_server() -> Iterator[Server]:
    """A valkey-server that has much to bear."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def frail_valkey(bedrock: Bedrock, frail_server: Server) -> Iterator[Pair]:
    """Two replicas on it."""
    with pair_on(bedrock, frail_server.url) as pair:
        yield pair


@pytest.fixture(scope="session")
def frail_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a file."""
    return tmp_path_factory.mktemp("frail") / "streams.db"


@pytest.fixture(scope="session")
def frail_sqlite(bedrock: Bedrock, frail_file: Path) -> Iterator[Pair]:
    """Two replicas on it."""
    with pair_on(bedrock, f"sqlite:///{frail_file}") as pair:
        yield pair


LONGER = {"valkey out of memory", "sqlite locked"}
"""Ways that differ little from others: for `make soak`."""


@pytest.fixture(params=[pytest.param(way, marks=[pytest.mark.soak] if way in LONGER else []) for way in WAYS])
def failing(request: pytest.FixtureRequest) -> tuple[Pair, Way]:
    """Two replicas, and what will befall their journal."""
    if request.param.startswith("valkey"):
        server = request.getfixturevalue("frail_server")
        return request.getfixturevalue("frail_valkey"), WAYS[request.param](server)
    pair = request.getfixturevalue("frail_sqlite")
    return pair, WAYS[request.param](request.getfixturevalue("frail_file"), pair)


@pytest.fixture(params=["sqlite", "valkey"])
def emptied(request: pytest.FixtureRequest) -> tuple[Pair, Callable[[], None]]:
    """Two replicas, and what takes away all that their journal has kept."""
    pair = request.getfixturevalue(f"frail_{request.param}")
    if request.param == "valkey":
        return pair, partial(start_empty, request.getfixturevalue("frail_server"))
    return pair, partial(remove, request.getfixturevalue("frail_file"))


def start_empty(server: Server) -> None:
    server.kill()
    server.wipe()
    server.start()


def remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + suffix).unlink()


@asynccontextmanager
async def begun(pair: Pair, fault: str, events: int) -> AsyncIterator[tuple[Reader, AsyncIterator[bytes], Json]]:
    """Begin a stream here that stands at a gate, with a reader and its call."""
    reader = Reader(pair.here, body=question(), headers={"X-Artesian-Fault": fault, "X-On-Disconnect": "drain"})
    async with reader.connected() as chunks:
        await reader.take(chunks, until=events)
        (call,) = await pair.bedrock.calls(reader.stream_id)
        yield reader, chunks, call


async def test_live_streams_go_on_and_all_is_well_soon_after(failing: tuple[Pair, Way]) -> None:
    pair, way = failing
    await ready(pair)
    finished = Reader(pair.here, body=question())
    await finished.run()
    async with AsyncExitStack() as stack:
        speaking, said, its_call = await stack.enter_async_context(begun(pair, "gate@3,ok", 4))
        silent, _, silent_call = await stack.enter_async_context(begun(pair, "gate@3,ok", 4))
        await eventually(partial(is_kept, pair, silent))  # as its reader has it before the journal does
        way.fail()
        try:
            await eventually(lambda: is_degraded(pair))
            await pair.bedrock.release(its_call)
            await speaking.take(said)
            during = Reader(pair.here, body=question())
            await during.run()
            told = await pair.here.state(during.stream_id)
            await at_least(AWAY_S)
        finally:
            way.mend()
        await ready(pair)
        await pair.bedrock.release(silent_call)
    await silent.run()

    assert (speaking.text, speaking.states()) == (finished.text, ["not_resumable"])
    assert (during.text, during.states()) == (finished.text, ["not_resumable"])
    assert [event.name for event in during.events[:2]] == ["start", "status"]
    assert (told["state"], told["resumable"]) == ("done", False)
    # The silent one had nothing to lose: nobody took it over when the journal was back and its lease long past.
    assert (silent.text, silent.states()) == (finished.text, [])
    assert len(await pair.bedrock.calls(silent.stream_id)) == 1
    await all_is_well(pair, finished)


async def test_what_an_emptied_journal_has_lost_is_gone_and_what_is_live_goes_on(
    emptied: tuple[Pair, Callable[[], None]],
) -> None:
    pair, empty = emptied
    await ready(pair)
    finished = Reader(pair.here, body=question())
    await finished.run()
    other = Reader(pair.there)
    async with begun(pair, "gate@3,ok", 4) as (live, _, call):
        other.stream_id = live.stream_id
        async with other.connected() as chunks:
            await other.take(chunks, until=4)
            empty()
            await other.take(chunks)
        for replica in pair.replicas:
            await eventually(partial(is_gone, replica.url, finished.events[3].id))
        await pair.bedrock.release(call)
    await live.run()
    await ready(pair)

    assert (live.text, live.states()) == (finished.text, ["not_resumable"])
    assert other.end
    assert other.end["code"] == "gone"
    assert live.events[: len(other.events) - 1] == other.events[:-1]
    after = Reader(pair.here, body=question())
    await after.run()
    await all_is_well(pair, after)


async def is_kept(pair: Pair, reader: Reader) -> bool:
    """Whether what a reader has seen is in the journal, where the other replica finds it."""
    told = await pair.there.state(reader.stream_id)
    return int(told["last_event"]) >= len(reader.events)


async def is_gone(url: str, event_id: str) -> bool:
    async with http(url) as service:
        response = await service.get("/api/generate", headers={"Last-Event-ID": event_id})
    return response.status_code == 410 and response.json()["code"] == "gone"


async def is_degraded(pair: Pair) -> bool:
    """Whether both replicas know, and are alive all the same."""
    for replica in pair.replicas:
        told = await replica.readiness()
        async with http(replica.url) as service:
            assert (await service.get("/healthz")).status_code == 200
        if (told["http"], told["status"], told["journal"]["ok"]) != (503, "degraded", False):
            return False
    return True


async def is_ready(pair: Pair) -> bool:
    told = [await replica.readiness() for replica in pair.replicas]
    return all((said["http"], said["status"]) == (200, "ready") for said in told)


async def ready(pair: Pair) -> None:
    await eventually(lambda: is_ready(pair))


async def at_least(seconds: float) -> None:
    """Let a failure last, so that every lease runs out."""
    loop = asyncio.get_running_loop()
    over = loop.time() + seconds

    async def is_over() -> bool:
        return loop.time() > over

    await eventually(is_over)


async def all_is_well(pair: Pair, finished: Reader) -> None:
    """Hold both replicas to what they promise: what was kept is there, and what is new is kept."""
    again = Reader(pair.there, stream_id=finished.stream_id)
    await again.run()
    assert again.events == finished.events
    fresh = Reader(pair.here, body=question())
    await fresh.run()
    elsewhere = Reader(pair.there, stream_id=fresh.stream_id)
    await elsewhere.run()
    assert elsewhere.events == fresh.events
    assert fresh.states() == []
    assert (await pair.here.state(fresh.stream_id))["resumable"] is True
