"""One service for a whole module, where its tests do not disturb each other."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Service, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    """For tests marked with `asyncio(loop_scope="module")`."""
    async with running() as service:
        yield service
