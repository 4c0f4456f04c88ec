"""`/readyz` reports each problem in a sentence, in time."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.harness import running


async def test_a_ready_service_has_no_problems() -> None:
    async with running() as service:
        ready = await service.http.get("/readyz")

    assert ready.status_code == 200
    assert (ready.json()["status"], ready.json()["problems"]) == ("ready", [])


async def test_missing_credentials_and_region_are_both_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    async with running(backend="aws") as service:
        ready = await service.http.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["status"] == "not ready"
    credentials, region = ready.json()["problems"]
    assert credentials.startswith("No AWS credentials are found")
    assert region.startswith("No region is set")


async def test_an_unavailable_journal_is_a_problem_but_not_unhealthy() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        async with running(journal_url=f"valkey://127.0.0.1:{closed.getsockname()[1]}") as service:
            ready = await service.http.get("/readyz")
            alive = await service.http.get("/healthz")
            metrics = (await service.http.get("/metrics")).text

    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.json()["status"] == "degraded"
    assert ready.json()["problems"] == ["The journal of streams cannot be reached: see `ARTESIAN_JOURNAL_URL`."]
    assert "\nartesian_journal_up 0.0\n" in metrics


async def test_readiness_waits_less_for_a_silent_database_than_a_request() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"postgresql+asyncpg://user@127.0.0.1:{silent.getsockname()[1]}/none"
        async with running(database_url=address) as service:
            asking = asyncio.create_task(service.http.get("/api/conversations"))
            ready = await service.http.get("/readyz")

            assert ready.status_code in {200, 503}
            assert not asking.done()  # the request waits for the database longer than the probe does
            asking.cancel()
