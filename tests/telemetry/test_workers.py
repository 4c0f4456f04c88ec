"""`/metrics` of several workers: each returns the sum of all."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover.processes import Bedrock, Replica, http, started
from tests.telemetry.scraping import HAIKU, Scrape
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc, which Linux has")


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    """Two workers on one journal."""
    bedrock = Bedrock()
    with started(bedrock):
        asyncio.run(bedrock.ready())
        service = Replica(bedrock, f"sqlite:///{tmp_path}/streams.db", workers=2)
        with started(service):
            asyncio.run(service.ready())
            yield service


async def scraped(replica: Replica) -> tuple[int, Scrape]:
    """Return the responding worker and its metrics."""
    async with http(replica.url) as client, client.stream("GET", "/metrics") as response:
        worker = replica.worker_of(response)
        return worker, Scrape((await response.aread()).decode())


async def asked(replica: Replica) -> int:
    """Send a request; return the worker that answered."""
    async with http(replica.url) as client:
        question = {"prompt": "Hi", "stream": True}
        async with client.stream("POST", "/api/generate", json=question) as response:
            worker = replica.worker_of(response)
            assert '"done":true' in (await response.aread()).decode()
    return worker


async def test_every_worker_returns_the_sum_of_all_including_dead_ones(replica: Replica) -> None:
    answered = [await asked(replica)]
    while len(set(answered)) < 2:
        answered.append(await asked(replica))
    for worker in replica.workers:

        async def scrape_of(worker: int = worker) -> Scrape | None:
            by, seen = await scraped(replica)
            counted = seen("artesian_requests_total", surface="native", model=HAIKU, outcome="ok")
            return seen if by == worker and counted == len(answered) else None  # it counts when it has answered

        seen: Scrape = await eventually(scrape_of)
        assert seen("artesian_time_to_first_token_seconds_count") == len(answered)
        assert (seen("artesian_workers"), seen("artesian_streams_limit")) == (2, 2000)
        assert seen.labels("artesian_streams_open") == [{}]  # and no process's number

    os.kill(answered[0], signal.SIGKILL)

    async def one_is_new() -> bool:
        return len(replica.workers) == 2 and answered[0] not in replica.workers

    await eventually(one_is_new)

    async def settled() -> Scrape | None:
        seen = (await scraped(replica))[1]
        gauges = (seen("artesian_workers"), seen("artesian_streams_limit"))  # which a worker writes one after the other
        return seen if gauges == (2, 2000) else None

    seen = await eventually(settled)
    assert seen("artesian_requests_total", outcome="ok") == len(answered)


def test_they_begin_from_nothing_and_leave_nothing(replica: Replica) -> None:
    environment = Path(f"/proc/{replica.workers[0]}/environ").read_bytes().split(b"\0")
    (folder,) = [entry.partition(b"=")[2].decode() for entry in environment if entry.startswith(b"PROMETHEUS_")]
    assert list(Path(folder).glob("*.db"))

    replica.signal(signal.SIGTERM)
    asyncio.run(replica.ended())
    assert not Path(folder).exists()
