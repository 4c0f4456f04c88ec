"""A task of the lifespan that ends unexpectedly: `/healthz` is 503 at once, and the process exits with a status."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import client
from tests.project.running import Running, running
from tests.waiting import eventually

ROOT = str(Path(__file__).parents[2])
COMMAND = [sys.executable, "-m", "tests.failing.failing_app"]
SETTINGS = {"database_url": "sqlite+aiosqlite://", "log_format": "json"}


@pytest.fixture(autouse=True)
def _module_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)


async def test_a_process_whose_lifespan_fails_is_not_healthy_and_exits_with_a_status() -> None:
    with running(COMMAND, **SETTINGS) as failing:
        async with client(failing.url) as http:
            assert (await http.get("/healthz")).status_code == 200
            await http.get("/_fail")

            async def unhealthy() -> bool:
                return (await http.get("/healthz")).status_code == 503

            await eventually(unhealthy)
            refused = await http.post("/api/generate", json={"prompt": "Hi"})
        _, said = await asyncio.to_thread(failing.process.communicate, timeout=20)

    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert failing.process.returncode == 1
    assert "exits with status 1" in said
    assert "a task of the lifespan fails" in said


@pytest.mark.soak  # three processes start
async def test_a_worker_whose_lifespan_fails_is_replaced(tmp_path: Path) -> None:
    shared = {"workers": "2", "journal_url": f"sqlite:///{tmp_path}/journal.db", "local_port": "1"}
    with running(COMMAND, **SETTINGS, **shared) as failing:
        async with client(failing.url) as http, _all_ended(failing):
            workers = await eventually(_seen(http, lambda seen: len(seen) == 2))
            failed = int((await http.get("/_fail", headers={"Connection": "close"})).text)
            replaced = await eventually(_seen(http, lambda seen: len(seen) == 2 and failed not in seen))
            healthy = await _get(http, "/healthz")

        assert failed in workers
        assert not _runs(failed)
        assert healthy is not None
        assert healthy.status_code == 200
        assert replaced - workers


@asynccontextmanager
async def _all_ended(failing: Running) -> AsyncIterator[None]:
    """End the workers too, whatever happens in the block: they hold on to the pipes."""
    try:
        yield
    finally:
        await asyncio.to_thread(failing.stop)


def _seen(http: httpx.AsyncClient, enough: Callable[[set[int]], bool]) -> Callable[[], Awaitable[Any]]:
    """Ask on many connections at once which processes answer."""

    async def ask() -> set[int] | None:
        answers = await asyncio.gather(*(_get(http, "/_pid") for _ in range(16)))
        seen = {int(answer.text) for answer in answers if answer is not None}
        return seen if enough(seen) else None

    return ask


async def _get(http: httpx.AsyncClient, path: str) -> httpx.Response | None:
    """Ask on a connection of its own; None: the worker that took it is about to exit."""
    with suppress(httpx.TransportError):
        return await http.get(path, headers={"Connection": "close"})
    return None


def _runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
