"""A refusal and an `Idempotency-Key`: nothing is written for it, and nobody is told "gone"."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.harness import Service, running
from tests.limits.keyed import bearer, limited
from tests.limits.test_queue import GATE
from tests.native.gates import release
from tests.streams.servers import Server
from tests.waiting import patience

KEY = {"Idempotency-Key": "mine"}
TIMES = 30


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty journal."""
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/streams.db"
    server: Server = request.getfixturevalue("server")
    return server.url


async def ask(service: Service, headers: dict[str, str], prompt: str = "Hi") -> httpx.Response:
    return await service.http.post("/api/generate", json={"prompt": prompt}, headers=headers)


async def first(number: int, asking: list[asyncio.Task[httpx.Response]]) -> list[httpx.Response]:
    """Wait for the answers that come first."""
    answers: list[httpx.Response] = []
    async with patience():
        while len(answers) < number:
            await asyncio.wait([task for task in asking if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            answers = [task.result() for task in asking if task.done()]
    return answers


async def test_all_who_ask_at_once_with_one_key_are_refused_alike(url: str) -> None:
    async with running(max_streams=1, max_queue=0, commit_after=0.05, journal_url=url) as service:
        async with service.open(fault=GATE) as events:
            await anext(events)
            refused = await asyncio.gather(*(ask(service, KEY) for _ in range(TIMES)))
            await release(service)
        free = await ask(service, KEY, "with another body")

    assert Counter((answer.status_code, answer.json()["code"]) for answer in refused) == {(503, "overloaded"): TIMES}
    assert free.status_code == 200


async def test_all_who_ask_at_once_with_one_key_get_the_one_stream_that_fits(url: str, tmp_path: Path) -> None:
    """The others are no second stream of the key's `streams`, and none of its requests."""
    bounds = {"streams": 1, "requests_per_minute": 1, "tokens_per_minute": 100_000}
    async with limited(tmp_path, {"k": bounds}, max_streams=1, max_queue=0, journal_url=url) as service:
        answers = await asyncio.gather(*(ask(service, bearer("k", **KEY)) for _ in range(TIMES)))
        calls = await service.calls()
        over = await ask(service, bearer("k"))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-stream-id"] for answer in answers}) == 1
    assert len(calls) == 1
    assert over.status_code == 429


async def test_one_key_at_two_replicas_is_one_stream_or_a_refusal_and_never_gone(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "two").mkdir()
    async with (
        limited(tmp_path, {"k": {"requests_per_minute": 1}}, journal_url=server.url) as one,
        limited(tmp_path / "two", {"k": {"requests_per_minute": 1}}, journal_url=server.url) as other,
    ):
        answers = await asyncio.gather(*(ask((one, other)[n % 2], bearer("k", **KEY)) for n in range(TIMES)))
        calls = [*await one.calls(), *await other.calls()]
        again = [await ask(service, bearer("k", **KEY)) for service in (one, other)]

    assert {answer.status_code for answer in answers} <= {200, 429}
    assert len({answer.headers["x-stream-id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(calls) == 1
    assert [answer.status_code for answer in again] == [200, 200]


async def test_what_is_refused_writes_nothing(tmp_path: Path) -> None:
    async with running(
        max_streams=1, max_queue=0, commit_after=0.05, journal_url=f"sqlite:///{tmp_path}/streams.db"
    ) as service:
        async with service.open(fault=GATE) as events:
            await anext(events)
            for number in range(5):
                refused = await ask(service, {"Idempotency-Key": f"key-{number}"})
                assert refused.status_code == 503
            await release(service)
        with sqlite3.connect(tmp_path / "streams.db") as file:
            rows = [file.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("stream", "binding")]  # noqa: S608 - two names of ours

    assert rows == [(1,), (0,)]


async def test_a_burst_fills_the_queue_and_nothing_is_written_for_the_rest_of_it(tmp_path: Path) -> None:
    """While a stream is begun its place is spoken for: who comes in the meantime is not let in for the same one."""
    async with running(
        max_streams=1, max_queue=3, commit_after=0.05, journal_url=f"sqlite:///{tmp_path}/streams.db"
    ) as service:
        async with service.open(fault=GATE) as events:
            await anext(events)
            burst = [asyncio.create_task(ask(service, {})) for _ in range(TIMES)]
            refused = await first(TIMES - 3, burst)
            await release(service)
        answers = await asyncio.gather(*burst)
        with sqlite3.connect(tmp_path / "streams.db") as file:
            (begun,) = file.execute("SELECT count(*) FROM stream").fetchone()

    assert {answer.status_code for answer in refused} == {503}
    assert Counter(answer.status_code for answer in answers) == {503: TIMES - 3, 200: 3}
    assert begun == 4
