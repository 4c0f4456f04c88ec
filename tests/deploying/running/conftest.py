"""Replicas as in `tests/failover`, and a real nginx in front of two of them."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.deploying.running.nginx import Nginx, nginx
from tests.failover.conftest import bedrock, linux, valkey
from tests.failover.processes import Bedrock, Replica, started
from tests.streams.servers import Server

__all__ = ["bedrock", "linux", "replica", "site", "valkey"]


@pytest.fixture
async def replica(bedrock: Bedrock) -> AsyncIterator[Replica]:
    """A replica for one test."""
    alone = Replica(bedrock, "memory://")
    with started(alone):
        await alone.ready()
        yield alone


@dataclass
class Site:
    """Two replicas on one Valkey behind nginx, as in `deploy/compose`."""

    nginx: Nginx
    replicas: list[Replica]
    bedrock: Bedrock
    journal_url: str

    @property
    def url(self) -> str:
        """The URL for clients."""
        return self.nginx.url

    async def producer(self) -> Replica:
        """Return the replica that runs the only generation."""
        (found,) = [replica for replica in self.replicas if (await replica.readiness())["streams"]]
        return found


@pytest.fixture
async def site(bedrock: Bedrock, valkey: Server) -> AsyncIterator[Site]:
    """Two replicas behind nginx."""
    with ExitStack() as stack:
        replicas = [Replica(bedrock, valkey.url, resume_grace=10) for _ in range(2)]
        stack.enter_context(started(*replicas))
        for replica in replicas:
            await replica.ready()
        proxy = stack.enter_context(nginx(*(replica.port for replica in replicas)))
        await proxy.ready()
        yield Site(proxy, replicas, bedrock, valkey.url)
