"""One service for a whole module, where its tests do not disturb each other."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness import Service, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Service]:
    """For modules marked with `asyncio(loop_scope="module")`. Its heart beats at each silence a test can make."""
    async with running(heartbeat=0.01, model_aliases={"fast": NOVA, "mine": {"id": PROFILE}}) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quick() -> AsyncIterator[Service]:
    """A service that gives up quickly, and takes no large body."""
    async with running(max_retries=1, retry_budget=1, on_interruption="fail", max_body=1500) as service:
        yield service


NOVA = "us.amazon.nova-lite-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3"
