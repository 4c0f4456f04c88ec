"""Replicas as in `tests/outliving`, and nginx in front of two of them."""

from collections.abc import AsyncIterator

import pytest

from tests.outliving.conftest import bedrock, linux, valkey
from tests.outliving.processes import Bedrock, Replica, started

__all__ = ["bedrock", "linux", "replica", "valkey"]


@pytest.fixture
async def replica(bedrock: Bedrock) -> AsyncIterator[Replica]:
    """One that a test may do what it likes to."""
    alone = Replica(bedrock, "memory://")
    with started(alone):
        await alone.ready()
        yield alone
