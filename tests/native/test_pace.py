"""How the answer comes: each delta as it comes, many streams at once, and a word on its progress."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import pytest
from blockbuster import blockbuster_ctx

from service.app import create_app
from service.local.server import serve_local
from tests.harness import Service, running, serving, settings
from tests.native.gates import call_of, release
from tests.waiting import patience

T = TypeVar("T")


async def test_each_delta_leaves_as_one_event_before_the_next_one_comes() -> None:
    async with running() as service:
        whole = await service.stream(prompt="Hello")
        async with service.open(prompt="Hello", fault="step") as events:
            assert (await anext(events)).name == "start"
            for n, expected in enumerate(whole[1:-1]):
                assert (await call_of(service, 2, state="waiting"))["deltas"] == n
                await release(service, 2, times=1)
                async with patience():
                    assert (await anext(events)).data == expected.data
            assert [event.name async for event in events] == ["message"]


async def test_events_that_are_ready_together_leave_together(service: Service) -> None:
    events = await service.stream(prompt="Hello")
    async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": events[0].id}) as response:
        pieces = [piece async for piece in response.aiter_raw()]

    assert len(pieces) == 1
    assert pieces[0].count(b"\n\n") == len(events) - 1


async def test_two_hundred_streams_at_once_all_finish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bedrock and the readers run in a thread of their own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with elsewhere() as there, there.open(serve_local(rate=0)) as bedrock:
        app = create_app(settings(backend="aws", bedrock_endpoint_url=bedrock, region="us-east-1"))
        async with serving(app) as url:
            plain = await there.run(read(url))
            assert await there.run(read_all(url, 200)) == [plain] * 200


async def test_nothing_in_a_stream_or_an_answer_blocks_the_loop() -> None:
    """No file, no socket, no sleep of the blocking kind, in any of our modules."""
    async with running() as service:
        await service.stream()
        with blockbuster_ctx("service"):
            assert await service.stream(fault="throttle,cut@2")
            assert await service.ask(api="invoke")
            assert await service.resume(f"{(await service.ask())['stream_id']}-0")


async def test_progress_is_reported_while_a_stream_runs_and_never_falls() -> None:
    async with running(expected_token_rate=200) as service:
        events = await service.stream(prompt="Write 200 words on rain.", max_tokens=90, fault="rate=40")

    told = [event.data for event in events if event.name == "progress"]
    assert len(told) >= 2
    assert 0 < told[0]["progress"] < told[1]["progress"] < 1
    assert 0 < told[0]["output_tokens"] < told[1]["output_tokens"] < 90
    assert told[0]["tokens_per_second"] > 0
    assert told[0]["is_slow"] is True
    assert "slowly" in told[0]["message"]


async def test_a_brisk_stream_is_not_called_slow() -> None:
    async with running(expected_token_rate=1) as service:
        events = await service.stream(prompt="Write 200 words on rain.", max_tokens=60, fault="rate=50")

    told, *_ = [event.data for event in events if event.name == "progress"]
    assert (told["is_slow"], told["message"]) == (False, "")


async def read(url: str) -> str:
    """Read a stream by hand, as quickly as it goes."""
    body = b'{"prompt":"Hello"}'
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/generate/stream HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    received = (await reader.read()).decode()
    writer.close()
    said = [json.loads(line.removeprefix("data: ")) for line in received.split("\n") if line.startswith("data: ")]
    assert said[-1]["done"] is True
    return "".join(event.get("text", "") for event in said)


class There:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something there, and wait for it here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @asynccontextmanager
    async def open(self, context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """Keep something open there while the block lasts here."""
        opened = await self.run(context.__aenter__())
        try:
            yield opened
        finally:
            await self.run(context.__aexit__(None, None, None))

    async def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[There]:
    there = There()
    try:
        yield there
    finally:
        await there.close()


async def read_all(url: str, readers: int) -> list[str]:
    return await asyncio.gather(*(read(url) for _ in range(readers)))
