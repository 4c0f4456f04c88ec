import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.streams.journal import Journal
from tests.streams.samples import RecordingOwner, journal_at
from tests.streams.servers import Server

KINDS = ("memory", "sqlite", "valkey")
SHARED = ("sqlite", "valkey")


@pytest.fixture(scope="session")
def server_for_all() -> Iterator[Server]:
    """A valkey-server shared by all tests of this process that do not disturb it."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def valkey() -> AsyncIterator[Server]:
    """A valkey-server for one test."""
    server = Server()
    await asyncio.to_thread(server.start)
    yield server
    server.remove()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty journal."""
    return address(request.param, request, tmp_path)


@pytest.fixture(params=KINDS)
def kind_and_url(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A kind of journal, and the address of an empty one."""
    return request.param, address(request.param, request, tmp_path)


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty journal that processes can share."""
    return address(request.param, request, tmp_path)


def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/streams.db"
    server: Server = request.getfixturevalue("server_for_all")
    server.command("FLUSHALL")
    return server.url


@pytest.fixture
async def journal(url: str) -> AsyncIterator[Journal]:
    """One process's journal."""
    async with journal_at(url) as opened:
        yield opened


@pytest.fixture
async def pair(shared_url: str) -> AsyncIterator[tuple[Journal, Journal]]:
    """The journals of two processes on one store."""
    async with AsyncExitStack() as stack:
        journals = [await stack.enter_async_context(journal_at(shared_url)) for _ in range(2)]
        yield journals[0], journals[1]


@pytest.fixture
def owners(pair: tuple[Journal, Journal]) -> tuple[RecordingOwner, RecordingOwner]:
    """The owners that the two journals notify."""
    remembering = RecordingOwner(), RecordingOwner()
    for journal, owner in zip(pair, remembering, strict=True):
        journal.attach(owner)
    return remembering
