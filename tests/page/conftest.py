"""A service that speaks at an unhurried pace, and the page in a browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.harness import Service, running
from tests.page.browsing import Chat, browser, tab


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running(local_rate=200) as running_service:
        yield running_service


@pytest.fixture
async def chat(chromium: Browser, service: Service) -> AsyncIterator[Chat]:
    """The page, which must ask nobody but the service for anything, and have nothing to complain of."""
    async with tab(chromium, service.url) as opened:
        await opened.load()
        yield opened
        assert opened.strangers == []
        assert opened.complaints == []
