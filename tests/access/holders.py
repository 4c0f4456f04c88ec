"""Clients with keys, and a service with these keys."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from service.access.keys import KeyEntry, hash_key, new_key
from service.access.keys_file import edit
from tests.harness import Json, Service, events_of, running

SECRET = "a secret that replicas share"
EVENTS = {"Accept": "text/event-stream"}


@dataclass
class Holder:
    """A client with a key."""

    id: str
    key: str = field(repr=False)
    service: Service

    @property
    def header(self) -> dict[str, str]:
        """The key as an HTTP header."""
        return {"Authorization": f"Bearer {self.key}"}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request with the key."""
        return await self.service.http.request(method, path, json=body, headers={**self.header, **headers})

    async def generate(self, **body: Any) -> Any:
        """Request a whole answer."""
        return await self.ask("POST", "/api/generate", {"prompt": "Hi"} | body)

    async def ticket(self, **wanted: str) -> str:
        """Get a ticket."""
        answer = await self.ask("POST", "/api/tickets", wanted or None)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ticket"])

    def openai(self) -> AsyncOpenAI:
        """OpenAI's client with this key."""
        return AsyncOpenAI(base_url=f"{self.service.url}/v1", api_key=self.key, max_retries=0)

    def anthropic(self) -> AsyncAnthropic:
        """Anthropic's client with this key."""
        return AsyncAnthropic(base_url=self.service.url, api_key=self.key, max_retries=0)


def add_key(file: Path, name: str, **powers: Any) -> str:
    """Add a key to a file as `artesian keys create` does; its id is its name."""
    made = new_key()
    entry: Json = {"id": name, "name": name, "sha256": hash_key(made).hex(), "created": datetime.now(UTC)}
    with edit(str(file)) as keys:
        keys.append(KeyEntry.model_validate(entry | powers))
    return made


def revoke(file: Path, name: str) -> None:
    """Revoke a key as a text editor would: by replacing the file."""
    content = json.loads(file.read_text())
    for entry in content["keys"]:
        if entry["name"] == name:
            entry["revoked"] = "2026-11-24T00:00:00Z"
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(file)


@asynccontextmanager
async def held(folder: Path, holders: dict[str, Json], **values: Any) -> AsyncIterator[list[Holder]]:
    """Run a service with a key for each name and its permissions."""
    file = folder / "keys.json"
    keys = {name: add_key(file, name, **powers) for name, powers in holders.items()}
    async with AsyncExitStack() as stack:
        given = {"api_keys_file": str(file), "secret_key": SECRET} | values
        service = await stack.enter_async_context(running(**given))
        yield [Holder(name, key, service) for name, key in keys.items()]


async def read(service: Service, path: str, **headers: str) -> tuple[int, list[Any]]:
    """Read a stream as an EventSource does."""
    async with service.http.stream("GET", path, headers={**EVENTS, **headers}) as response:
        if response.status_code != 200:
            await response.aread()
            return response.status_code, []
        return 200, [event async for event in events_of(response)]
