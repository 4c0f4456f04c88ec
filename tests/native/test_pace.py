"""How the answer comes: each delta as it comes, many streams at once, and a word on its progress."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import pytest
from blockbuster import blockbuster_ctx

from service.app import create_app
from service.local.server import serve_local
from tests.harness import Service, running, serving, settings
from tests.native.gates import call_of, release

LONGEST_TURN_S = 0.25 if sys.gettrace() is None else 1.0  # whoever measures coverage measures nothing else

T = TypeVar("T")


async def test_each_delta_leaves_as_one_event_before_the_next_one_comes() -> None:
    async with running() as service:
        whole = await service.stream(prompt="Hello")
        async with service.open(prompt="Hello", fault="step") as events:
            assert (await anext(events)).name == "start"
            for n, expected in enumerate(whole[1:-1]):
                assert (await call_of(service, 2, state="waiting"))["deltas"] == n
                await release(service, 2, times=1)
                async with asyncio.timeout(5):
                    assert (await anext(events)).data == expected.data
            assert [event.name async for event in events] == ["message"]


async def test_events_that_are_ready_together_leave_together(service: Service) -> None:
    events = await service.stream(prompt="Hello")
    async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": events[0].id}) as response:
        pieces = [piece async for piece in response.aiter_raw()]

    assert len(pieces) == 1
    assert pieces[0].count(b"\n\n") == len(events) - 1


async def test_two_hundred_streams_at_once_all_finish_and_the_loop_is_never_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bedrock and the readers run in a thread of their own: the loop that is measured is the service's alone."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with elsewhere() as there, there.open(serve_local(rate=0)) as bedrock:
        app = create_app(settings(backend="aws", bedrock_endpoint_url=bedrock, region="us-east-1"))
        async with serving(app) as url:
            plain = await there.run(read(url))
            longest: list[float] = []
            while not longest or (min(longest) > LONGEST_TURN_S and len(longest) < 6):  # a busy machine is no bug
                async with loop_turns() as turns:
                    assert await there.run(read_all(url, 200)) == [plain] * 200
                longest.append(max(turns))

    assert min(longest) < LONGEST_TURN_S


async def test_nothing_in_a_stream_or_an_answer_blocks_the_loop() -> None:
    """No file, no socket, no sleep of the blocking kind, in any of our modules."""
    async with running() as service:
        await service.stream()
        with blockbuster_ctx("service"):
            assert await service.stream(fault="throttle,cut@2")
            assert await service.ask(api="invoke")
            assert await service.resume(f"{(await service.ask())['stream_id']}-0")


async def test_progress_is_told_once_a_second_and_never_falls() -> None:
    async with running(expected_token_rate=200) as service:
        events = await service.stream(prompt="Write 200 words on rain.", max_tokens=90, fault="rate=40")

    told = [event.data for event in events if event.name == "progress"]
    assert len(told) == 2
    assert 0 < told[0]["progress"] < told[1]["progress"] < 1
    assert 20 <= told[0]["output_tokens"] <= 60
    assert 20 <= told[0]["tokens_per_second"] <= 60
    assert told[0]["is_slow"] is True
    assert "slowly" in told[0]["message"]


async def test_a_brisk_stream_is_not_called_slow() -> None:
    async with running() as service:
        events = await service.stream(prompt="Write 200 words on rain.", max_tokens=60, fault="rate=50")

    (told,) = [event.data for event in events if event.name == "progress"]
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


@asynccontextmanager
async def loop_turns() -> AsyncIterator[list[float]]:
    """Measure the processor's time between two looks at the clock: what a timer of the loop has to wait for.

    The processor's and not the wall's, since other tests run beside this one; what waits without computing is
    blockbuster's to find.
    """
    turns: list[float] = []

    async def look() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            turns.append(now - before)
            before = now

    looking = asyncio.create_task(look())
    try:
        yield turns
    finally:
        looking.cancel()
