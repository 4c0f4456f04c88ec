"""A service with keys of different permissions, shared by a module."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.access.holders import Holder, held
from tests.harness import Json

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
HOLDERS: dict[str, Json] = {
    "ann": {},
    "bob": {},
    "reader": {"scopes": ["read"]},
    "writer": {"scopes": ["generate"]},
    "watcher": {"scopes": ["metrics"]},
    "chief": {"scopes": ["admin"]},
    "late": {"expires": YESTERDAY},
    "gone": {"revoked": YESTERDAY},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def holders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Holder]]:
    """Run a service with five keys (modules marked with `asyncio(loop_scope="module")`)."""
    async with held(tmp_path_factory.mktemp("keys"), HOLDERS) as everybody:
        yield {holder.id: holder for holder in everybody}
