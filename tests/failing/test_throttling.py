"""A model that takes so many calls at once and throttles the rest: what is learned of it, and who waits."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import create_app
from service.local.app import create_local_app
from service.local.server import serve_local
from tests.harness import client, fault_header, running, serving, settings

ROOM = 8


class Narrow:
    """A Bedrock that answers so many calls at once, and throttles every other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.room = ROOM
        self.running = self.most = self.throttled = self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        if self.running >= self.room:
            self.throttled += 1
            await _throttle(receive, send)
            return
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1


async def _throttle(receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"x-amzn-errortype", b"ThrottlingException"), (b"content-type", b"application/json")]
    start: MutableMapping[str, Any] = {"type": "http.response.start", "status": 429, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b'{"message":"Too many requests"}'})


@pytest.fixture
async def narrow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Narrow, str]]:
    """A narrow Bedrock and its address."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    app = Narrow(create_local_app(rate=400))
    async with serve_local(app=app) as url:  # type: ignore[arg-type]  # any ASGI app will do
        yield app, url


async def test_the_service_learns_what_a_model_takes_and_holds_the_rest(narrow: tuple[Narrow, str]) -> None:
    bedrock, address = narrow
    app = create_app(settings(backend="aws", bedrock_endpoint_url=address, region="us-east-1", retry_budget=0.5))
    async with serving(app) as url, client(url) as http:

        async def ask() -> int:
            return (await http.post("/api/generate", json={"prompt": "Say five words"})).status_code

        burst = await asyncio.gather(*(ask() for _ in range(30)))
        assert burst.count(200) == 30
        learning, bedrock.calls, bedrock.throttled = bedrock.throttled, 0, 0
        steady = await asyncio.gather(*(ask() for _ in range(60)))

        assert learning > 0
        assert steady.count(200) == 60
        assert bedrock.throttled <= 6  # of 60 at once, 52 of which would be too many
        bedrock.room = 1000
        await asyncio.gather(*(ask() for _ in range(200)))
        assert bedrock.most > ROOM


async def test_who_waits_with_a_stream_open_is_told_the_place() -> None:
    async with running(commit_after=0, max_retries=0, on_disconnect="cancel") as service:
        body = {"prompt": "Hi"}
        await service.http.post("/api/generate", json=body, headers=fault_header("throttle;counted"))  # so one at once
        async with service.open(fault="gate;counted") as first:
            await anext(first)
            await service.bedrock.get("/_local/calls/2?state=waiting")
            async with service.open(fault="ok;counted") as second:
                begun = await anext(second)
                queued = await anext(second)
                await service.bedrock.post("/_local/release")
                rest = [event async for event in second]

    assert begun.name == "start"
    assert queued.data == {"state": "queued", "place": 1}
    assert rest[-1].data["done"]
    assert rest[-1].data["metrics"]["attempts"] == 1


async def test_a_wait_that_takes_too_long_is_overload() -> None:
    async with running(max_retries=0, queue_timeout=0.1, commit_after=0, on_disconnect="cancel") as service:
        body = {"prompt": "Hi"}
        await service.http.post("/api/generate", json=body, headers=fault_header("throttle;counted"))
        async with service.open(fault="gate;counted") as first:
            await anext(first)
            await service.bedrock.get("/_local/calls/2?state=waiting")
            late = await service.http.post("/api/generate", json=body)

    assert late.status_code == 503
    assert late.json()["code"] == "overloaded"
    assert "retry-after" in late.headers


async def test_what_goes_beyond_the_limit_goes_to_a_fallback_at_once() -> None:
    nova = "amazon.nova-lite-v1:0"
    claude = settings().default_model_id
    async with running(max_retries=0, fallbacks={claude: [nova]}, commit_after=0, on_disconnect="cancel") as service:
        body = {"prompt": "Hi"}
        await service.http.post("/api/generate", json=body, headers=fault_header("throttle;counted"))
        async with service.open(fault="gate;counted") as first:
            await anext(first)
            await service.bedrock.get("/_local/calls/3?state=waiting")
            answer = (await service.http.post("/api/generate", json=body)).json()

    assert answer["model_id"] == nova
    assert answer["metrics"]["attempts"] == 1
