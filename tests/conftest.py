"""Fixtures that every folder of tests shares."""

import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

import tests.examples  # noqa: F401 - registers the profiles of hypothesis
from tests.harness import Service, running

settings.load_profile("test")  # `--hypothesis-profile=soak` replaces it

for name in [name for name in os.environ if name.startswith(("ARTESIAN_", "AWS_", "OTEL_")) and "REQUIRE" not in name]:
    if name != "ARTESIAN_CHROMIUM":
        del os.environ[name]  # a developer's own settings are no part of a test
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # there is none, and asking costs seconds
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull  # no test speaks TLS, and every client that an SDK makes reads all authorities


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The service as it comes, in front of a quick local Bedrock that obeys faults."""
    async with running() as running_service:
        yield running_service
