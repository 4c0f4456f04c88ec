"""Keys with limits, in a file as the service reads it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.access.keys import KeyEntry, hash_key
from service.access.keys_file import edit
from service.app import create_app
from tests.harness import Json, Service, client, serving, settings

SECRET = "for tickets that nobody asks for here"


@asynccontextmanager
async def limited(folder: Path, limits: dict[str, Json], **values: Any) -> AsyncIterator[Service]:
    """Run a service with a key of each name, whose secret is the name as well."""
    file = folder / "keys.json"
    with edit(str(file)) as keys:
        keys.extend(
            KeyEntry(id=name, name=name, sha256=hash_key(name).hex(), created=datetime.now(UTC), **bounds)
            for name, bounds in limits.items()
        )
    app = create_app(settings(api_keys_file=str(file), secret_key=SECRET, **values))
    async with serving(app) as url, client(url) as http:
        ready = await http.get("/readyz", headers=bearer(next(iter(limits))))
        async with client(ready.json()["backend"]["url"]) as bedrock:
            yield Service(app, url, http, bedrock)


def bearer(name: str, **headers: str) -> dict[str, str]:
    """The header that a key comes in, and others."""
    return {"Authorization": f"Bearer {name}", **headers}
