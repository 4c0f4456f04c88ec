"""One local Bedrock and one pair of replicas for each journal, for all tests that do them no harm."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.failover.processes import Bedrock, Replica, started
from tests.streams.servers import Server

JOURNALS = ("sqlite", "valkey")
GRACE_S = 1.0


class Pair(NamedTuple):
    """Two replicas on one journal, and the Bedrock behind them."""

    here: Replica
    there: Replica
    bedrock: Bedrock

    @property
    def replicas(self) -> tuple[Replica, Replica]:
        """Both."""
        return self.here, self.there


@pytest.fixture(autouse=True, scope="session")
def linux() -> None:
    """See to it that there is a `/proc` that tells which worker has a connection, and limits that can be set."""
    if sys.platform != "linux":
        pytest.skip("these tests look into /proc, which Linux has")


@contextmanager
def pair_on(bedrock: Bedrock, journal_url: str) -> Iterator[Pair]:
    """Run two replicas on a journal."""
    here, there = (Replica(bedrock, journal_url, resume_grace=GRACE_S) for _ in range(2))
    with started(here, there):

        async def ready() -> None:
            await asyncio.gather(here.ready(), there.ready())

        asyncio.run(ready())
        yield Pair(here, there, bedrock)


@pytest.fixture(scope="session")
def bedrock() -> Iterator[Bedrock]:
    """The local Bedrock, which speaks at 150 tokens a second."""
    process = Bedrock(rate=150)
    with started(process):
        asyncio.run(process.ready())
        yield process


@pytest.fixture
def valkey() -> Iterator[Server]:
    """A valkey-server of the test's own."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=JOURNALS)
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty journal that processes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/streams.db"
    server: Server = request.getfixturevalue("valkey")
    return server.url


@pytest.fixture(scope="session")
def sqlite_pair(bedrock: Bedrock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two replicas on one file."""
    with pair_on(bedrock, f"sqlite:///{tmp_path_factory.mktemp('journal')}/streams.db") as pair:
        yield pair


@pytest.fixture(scope="session")
def valkey_pair(bedrock: Bedrock) -> Iterator[Pair]:
    """Two replicas on one valkey-server."""
    server = Server()
    server.start()
    with ExitStack() as stack:
        stack.callback(server.remove)
        yield stack.enter_context(pair_on(bedrock, server.url))


@pytest.fixture(params=JOURNALS)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Two replicas for many tests: on SQLite, and on Valkey."""
    found: Pair = request.getfixturevalue(f"{request.param}_pair")
    return found
