"""The service on a real socket in front of the local Bedrock on another, as the tests use it."""

import gc
import itertools
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import httpx_sse
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from service.app import create_app
from service.settings import Settings

CLAUDE = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
_ended = itertools.count(1)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: reading the usual list takes longer than most tests

Json = dict[str, Any]


class Event(NamedTuple):
    """One event as an independent reader (httpx-sse) saw it."""

    name: str
    id: str
    data: Any

    @property
    def n(self) -> int:
        """The number in its id."""
        return int(self.id.rpartition("-")[2])


@dataclass
class Service:
    """A running service. `http` talks to it, `bedrock` to the local Bedrock behind it."""

    app: FastAPI
    url: str
    http: httpx.AsyncClient
    bedrock: httpx.AsyncClient

    async def ask(self, *, fault: str | None = None, **body: Any) -> Json:
        """Get a whole answer; anything but a 200 is a failure of the test."""
        response = await self.http.post("/api/generate", json={"prompt": "Hi"} | body, headers=fault_header(fault))
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer

    async def stream(self, *, fault: str | None = None, headers: Json | None = None, **body: Any) -> list[Event]:
        """Read a stream to its end."""
        async with self.open(fault=fault, headers=headers, **body) as events:
            return [event async for event in events]

    @asynccontextmanager
    async def open(
        self, *, fault: str | None = None, headers: Json | None = None, path: str = "/api/generate/stream", **body: Any
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a stream; leaving the block hangs up."""
        body = body if "messages" in body else {"prompt": "Hi"} | body
        sent = {**fault_header(fault), **(headers or {})}
        async with self.http.stream("POST", path, json=body, headers=sent) as response:
            assert response.status_code == 200, await response.aread()
            yield events_of(response)

    async def resume(self, last_event_id: str, path: str = "/api/generate") -> list[Event]:
        """Come back to a stream as EventSource does."""
        async with self.http.stream("GET", path, headers={"Last-Event-ID": last_event_id}) as response:
            assert response.status_code in {200, 204}, await response.aread()
            return [event async for event in events_of(response)] if response.status_code == 200 else []

    async def calls(self) -> list[Json]:
        """What the local Bedrock has been asked, oldest first."""
        calls: list[Json] = (await self.bedrock.get("/_local/calls")).json()["calls"]
        return calls

    async def state(self, stream_id: str) -> Json:
        """A stream as it stands."""
        response = await self.http.get(f"/api/streams/{stream_id}", headers={"Accept": "application/json"})
        assert response.status_code == 200, response.text
        state: Json = response.json()
        return state


def fault_header(fault: str | None) -> dict[str, str]:
    """Order a fault from the local Bedrock."""
    return {} if fault is None else {"X-Artesian-Fault": fault}


async def events_of(response: httpx.Response) -> AsyncIterator[Event]:
    """Read events with a reader that is not ours."""
    async for sse in httpx_sse.EventSource(response).aiter_sse():
        yield Event(sse.event, sse.id, json.loads(sse.data))


def text_of(events: list[Event]) -> str:
    """Join the text of a stream as a page does, clearing where it is told to."""
    text = ""
    for event in events:
        if event.name == "status" and event.data["state"] == "restarted":
            text = ""
        elif event.name == "message" and "text" in event.data:
            text += event.data["text"]
    return text


def settings(**values: Any) -> Settings:
    """Settings for a test: nothing of the environment, the local Bedrock as fast as it goes, faults obeyed."""
    given: Json = {
        "port": 0,
        "local_rate": 0,
        "local_faults": True,
        "database_url": "sqlite+aiosqlite://",
        "_env_file": None,
    } | values
    return Settings(**given)


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve an app on a free port of this machine, inside this event loop."""
    sock = listener or _listener()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[sock])
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        await server.shutdown(sockets=[sock])


def _listener() -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle's algorithm on
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def running(clock: Callable[[], float] = time.monotonic, /, **values: Any) -> AsyncIterator[Service]:
    """Run the service with some settings.

    `clock` is the time of circuit breakers, concurrency limits and the retry budget.
    """
    app = create_app(settings(**values), clock=clock)
    async with serving(app) as url, client(url) as http:
        bedrock_url = (await http.get("/readyz")).json()["backend"]["url"] or url
        async with client(bedrock_url) as bedrock:
            yield Service(app, url, http, bedrock)
    del app
    if next(_ended) % 25 == 0:
        gc.collect()  # an app is a ring of references that `gc.freeze` has hidden: in all they would take gigabytes


def client(url: str) -> httpx.AsyncClient:
    """A client without a pool's limit, so that a test's own streams do not wait for each other."""
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(30), limits=limits, trust_env=False, verify=NO_TLS)
