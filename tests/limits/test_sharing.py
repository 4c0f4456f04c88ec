"""The queue that several keys share: none of them can fill it against the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Event, Json, Service
from tests.limits.keyed import bearer, limited
from tests.limits.test_queue import GATE, SURFACES, places
from tests.native.gates import release
from tests.waiting import eventually, patience

LINE = 3


@asynccontextmanager
async def shared(folder: Path, **values: Any) -> AsyncIterator[Service]:
    """A service whose one place is taken by the key "many", until the gate is opened."""
    keys: dict[str, Json] = {"many": {}, "one": {}, "other": {}}
    async with (
        limited(folder, keys, max_streams=1, max_queue=LINE, **({"commit_after": 0.05} | values)) as service,
        service.open(fault=GATE, headers=bearer("many")) as events,
    ):
        await anext(events)
        yield service


async def streams_are(service: Service, number: int) -> bool:
    ready: Json = (await service.http.get("/readyz", headers=bearer("other"))).json()
    return bool(ready["streams"] == number)


def asking(service: Service, key: str, path: str = "/api/generate", **headers: str) -> asyncio.Task[httpx.Response]:
    """Ask, and wait for the answer elsewhere."""
    body = SURFACES[path] | {"stream": False}
    return asyncio.create_task(service.http.post(path, json=body, headers=bearer(key, **headers)))


async def waiting(stack: AsyncExitStack, service: Service, key: str) -> AsyncIterator[Event]:
    """Let a stream wait that its reader has begun to read."""
    events = await stack.enter_async_context(service.open(headers=bearer(key)))
    await anext(events)
    await anext(events)
    return events


async def test_another_key_comes_in_where_one_has_filled_the_queue(tmp_path: Path) -> None:
    async with shared(tmp_path) as service, AsyncExitStack() as stack:
        many = [await waiting(stack, service, "many") for _ in range(LINE)]
        own = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=bearer("many"))
        one = await stack.enter_async_context(service.open(headers=bearer("one")))
        first = [await anext(one), await anext(one)]
        async with patience():
            let_go = [event async for event in many[-1]]
        await release(service)
        async with patience():
            served = [event async for event in one]
            rest = [[event async for event in events] for events in many[:-1]]

    assert (own.status_code, own.json()["code"]) == (503, "overloaded")
    assert places(first) == [2]
    last = let_go[-1].data
    assert (last["code"], last["status"], last["retryable"], last["partial"]) == ("overloaded", 503, True, False)
    assert served[-1].data["done"]
    assert all(events[-1].data["done"] for events in rest)


@pytest.mark.parametrize("path", ["/api/generate", "/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_who_is_let_go_before_anything_was_sent_gets_the_usual_503(path: str, tmp_path: Path) -> None:
    async with shared(tmp_path) as service:
        many = [asking(service, "many", path) for _ in range(LINE)]
        await eventually(lambda: streams_are(service, 1 + LINE))
        one = asking(service, "one", path)
        async with patience():
            done, _ = await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
        let_go = done.pop().result()
        await release(service)
        answers = [await task for task in (*many, one)]

    overloaded = 529 if path == "/v1/messages" else 503
    assert let_go.status_code == overloaded
    assert 1 <= int(let_go.headers["retry-after"]) <= 30
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, overloaded]
    assert answers[-1].status_code == 200


async def test_who_is_let_go_leaves_its_idempotency_key_free(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "mine"}
    async with shared(tmp_path) as service, AsyncExitStack() as stack:
        for _ in range(LINE - 1):
            await waiting(stack, service, "many")
        keyed = asking(service, "many", **key)
        await eventually(lambda: streams_are(service, 1 + LINE))
        one = asking(service, "one")
        refused = await keyed
        await release(service)
        await one
        anew = await service.http.post("/api/generate", json={"prompt": "Ho"}, headers=bearer("many", **key))

    assert refused.status_code == 503
    assert anew.status_code == 200


async def test_keys_that_share_a_full_queue_alike_do_not_drive_each_other_out(tmp_path: Path) -> None:
    async with shared(tmp_path) as service, AsyncExitStack() as stack:
        for _ in range(LINE):
            await waiting(stack, service, "many")
        await waiting(stack, service, "one")
        again = [await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=bearer("one"))]
        await waiting(stack, service, "other")
        again += [
            await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=bearer(key))
            for key in ("many", "one", "other")
        ]

    assert [answer.status_code for answer in again] == [503] * 4


async def test_a_body_is_read_of_whoever_may_still_come_in(tmp_path: Path) -> None:
    """The gate asks whose it is: the key that has filled the queue is refused before its body, another is not."""
    body = {"prompt": ""}  # which only somebody who reads it can find wrong
    async with shared(tmp_path) as service, AsyncExitStack() as stack:
        for _ in range(LINE):
            await waiting(stack, service, "many")
        many, one = [
            await service.http.post("/api/generate", json=body, headers=bearer(key)) for key in ("many", "one")
        ]

    assert (many.status_code, one.status_code) == (503, 422)
