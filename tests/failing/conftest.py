"""Services for whole modules, where the tests do not disturb each other."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Service, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def once() -> AsyncIterator[Service]:
    """A service without retries, so that the first failure is reported; its timeouts are short."""
    async with running(max_retries=0, first_event_timeout=0.3, idle_timeout=0.3) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    """A service as it comes. It and the other are for tests marked with `asyncio(loop_scope="module")`."""
    async with running(retry_budget=1) as service:
        yield service
