"""A client of one conversation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.harness import Event, Json, Service, events_of, fault_header
from tests.waiting import eventually


@dataclass
class Talk:
    """One conversation."""

    service: Service
    id: str

    @property
    def path(self) -> str:
        """The conversation's path."""
        return f"/api/conversations/{self.id}"

    async def post(
        self, content: Any, *, fault: str | None = None, headers: Json | None = None, **more: Any
    ) -> httpx.Response:
        """Send a message and return the response."""
        body = ({} if content is None else {"content": content}) | more
        sent = {**fault_header(fault), **(headers or {})}
        return await self.service.http.post(f"{self.path}/messages", json=body, headers=sent)

    async def say(self, content: Any, *, fault: str | None = None, headers: Json | None = None, **more: Any) -> Json:
        """Send a message and wait for the whole reply."""
        response = await self.post(content, fault=fault, headers=headers, **more)
        assert response.status_code == 200, response.text
        reply: Json = response.json()
        return reply

    @asynccontextmanager
    async def open(
        self, content: Any, *, fault: str | None = None, headers: Json | None = None, **more: Any
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Send a message and stream the reply; leaving the block disconnects."""
        body = {"content": content, "stream": True} | more
        async with self.service.http.stream(
            "POST", f"{self.path}/messages", json=body, headers={**fault_header(fault), **(headers or {})}
        ) as response:
            assert response.status_code == 200, await response.aread()
            yield events_of(response)

    async def read(self, **query: Any) -> Json:
        """Read the conversation."""
        response = await self.service.http.get(self.path, params=query)
        assert response.status_code == 200, response.text
        whole: Json = response.json()
        return whole

    async def settled(self) -> Json:
        """Wait until no reply is running, and return the last message."""

        async def last() -> Json | None:
            whole = await self.read()
            return None if whole["answering"] or not whole["messages"] else whole["messages"][-1]

        message: Json = await eventually(last)
        return message


async def talk(service: Service, **given: Any) -> Talk:
    """Create a conversation."""
    response = await service.http.post("/api/conversations", json=given)
    assert response.status_code == 201, response.text
    return Talk(service, response.json()["id"])
