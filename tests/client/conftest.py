"""A service shared by the tests of a module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Service, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    """For modules marked with `asyncio(loop_scope="module")`."""
    async with running() as service:
        yield service
