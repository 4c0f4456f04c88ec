"""One service for a whole module, and its document."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Json, Service, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    """For tests marked with `asyncio(loop_scope="module")`."""
    async with running() as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document(shared: Service) -> Json:
    """What the service says of itself."""
    answer: Json = (await shared.http.get("/openapi.json")).json()
    return answer
