"""A reader that comes back by itself, as a browser's EventSource does: what it is shown is what a person would see."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.failover.processes import Replica, http
from tests.harness import Event, Json, text_of
from tests.waiting import let_pass, patience

RETRY_S = 0.02


class Refused(Exception):
    """The service answered with an error: EventSource would stop here."""

    def __init__(self, response: httpx.Response, events: int) -> None:
        request = response.request
        where = f"{request.method} {request.url} after {events} events, {request.headers.get('Last-Event-ID')}"
        super().__init__(f"{where}: {response.status_code}: {response.text}")
        self.status = response.status_code
        self.code = response.json()["code"]


class Reader:
    """One reader of one stream. It keeps whole events only, and holds each to its number."""

    def __init__(
        self,
        to: str | Replica,
        *,
        body: Json | None = None,
        stream_id: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.to = to
        self._body = body
        self._headers = {"X-Artesian-Fault": "ok"} | (headers or {})  # a script, even one of no fault, names the stream
        self.stream_id = stream_id
        self.events: list[Event] = []
        self.connections = 0
        self.reconnects = 0  # `event: reconnect`
        self.refusals: list[str] = []
        self.producer = 0  # the process that began it, where it was asked for at a replica
        self.response: httpx.Response | None = None
        self._grown = asyncio.Event()

    @property
    def text(self) -> str:
        """What is on the page."""
        return text_of(self.events)

    @property
    def end(self) -> Json | None:
        """The last event's content."""
        if (
            self.events
            and (last := self.events[-1]).name == "message"
            and ("done" in last.data or "error" in last.data)
        ):
            found: Json = last.data
            return found
        return None

    def states(self) -> list[str]:
        """What the status events said."""
        return [event.data["state"] for event in self.events if event.name == "status"]

    async def run(self) -> Json:
        """Read to the end, coming back as often as it takes."""
        async with patience():
            while not self.end:
                try:
                    async with self.connected() as chunks:
                        await self.take(chunks)
                except httpx.TransportError:
                    pass
                except Refused as refused:
                    if refused.code not in {"draining", "overloaded"}:
                        raise
                    self.refusals.append(refused.code)
                if not self.end:
                    await let_pass(RETRY_S)  # as EventSource does
        return self.end

    async def whole_text(self) -> str:
        """Read to the end, and return the text."""
        await self.run()
        return self.text

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """Ask once, for what comes next; leaving the block hangs up."""
        self.connections += 1
        async with (
            http(self.to if isinstance(self.to, str) else self.to.url) as service,
            service.stream(**self._request()) as response,
        ):
            if response.status_code != 200:
                await response.aread()
                raise Refused(response, len(self.events))
            if isinstance(self.to, Replica) and not self.producer:
                self.producer = self.to.worker_of(response)
            self.response = response
            self.stream_id = response.headers["x-stream-id"]
            yield response.aiter_raw()

    def _request(self) -> Json:
        if self.events:
            return {"method": "GET", "url": "/api/generate", "headers": {"Last-Event-ID": self.events[-1].id}}
        if self._body is not None:
            return {"method": "POST", "url": "/api/generate/stream", "json": self._body, "headers": self._headers}
        return {"method": "GET", "url": f"/api/streams/{self.stream_id}"}

    async def take(self, chunks: AsyncIterator[bytes], until: int = 0) -> None:
        """Take events from a connection until it ends, or until there are so many."""
        held = b""
        async for chunk in chunks:
            *blocks, held = (held + chunk).split(b"\n\n")
            for block in blocks:
                self._dispatch(block.decode())
            if until and len(self.events) >= until:
                return

    async def has(self, count: int) -> None:
        """Wait until there are so many events, or the last one."""
        async with patience():
            while len(self.events) < count and not self.end:
                self._grown.clear()
                await self._grown.wait()

    def _dispatch(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        assert set(fields) <= {"retry", "id", "event", "data"}, block
        if fields.get("event") == "reconnect":
            assert "id" not in fields
            assert "retry" in fields
            self.reconnects += 1
            return
        assert not self.end, f"after the end comes {block}"
        event = Event(fields.get("event", "message"), fields["id"], json.loads(fields["data"]))
        assert event.id == f"{self.stream_id}-{len(self.events) + 1}", f"{event.id} after {len(self.events)} events"
        self.events.append(event)
        self._grown.set()


def question(**members: Any) -> Json:
    """A request's body."""
    return {"prompt": PROMPT, "max_tokens": 400} | members


PROMPT = "Say ünïcode, 水 and 🚀 in 40 words: why do artesian wells flow?"
