"""`/healthz` and `/readyz`: for those who run the service."""

import asyncio

from service import __version__
from tests.harness import Service, running
from tests.native.gates import call_of, release


async def test_it_is_alive_and_ready_and_says_what_is_there(service: Service) -> None:
    alive = await service.http.get("/healthz")
    ready = await service.http.get("/readyz")

    assert (alive.status_code, ready.status_code) == (200, 200)
    checks = ready.json()
    assert alive.json() == {"status": "ok", "version": __version__}
    assert checks["backend"]["name"] == "local"
    assert checks["backend"]["url"] == str(service.bedrock.base_url).rstrip("/")
    assert checks["backend"]["credentials"] is True
    assert checks["journal"] == {"name": "memory", "ok": True}
    assert checks["database"]["ok"] is True
    assert checks["draining"] is False


async def test_a_probe_asks_bedrock_nothing(service: Service) -> None:
    for path in ("/healthz", "/readyz"):
        await service.http.get(path)

    assert await service.calls() == []


async def test_a_probe_is_answered_while_streams_wait_and_counts_them() -> None:
    async with running() as service:
        streams = [asyncio.create_task(service.stream(fault="gate")) for _ in range(3)]
        for number in (1, 2, 3):
            await call_of(service, number, state="waiting")
        assert (await service.http.get("/readyz")).json()["streams"] == 3
        await release(service)
        await asyncio.gather(*streams)
        assert (await service.http.get("/readyz")).json()["streams"] == 0


async def test_an_unreachable_bedrock_makes_neither_probe_fail() -> None:
    """A probe that fails takes the process away from those it could still serve from its streams."""
    async with running(max_retries=0) as service:
        headers = {"X-Artesian-Fault": "reset@headers"}
        assert (await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)).status_code == 503

        assert (await service.http.get("/healthz")).status_code == 200
        assert (await service.http.get("/readyz")).status_code == 200
