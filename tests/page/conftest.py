"""A service with a slow model, and the page in a browser.

One browser serves all tests of a process, in a fresh profile each: starting it takes longer than most of them. So they
share an event loop too (`pytestmark` in each module).
"""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.harness import Service, running
from tests.page.browser import Chat, browser, tab


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[Service]:
    async with running(local_rate=200) as running_service:
        yield running_service


@pytest_asyncio.fixture(loop_scope="session")
async def chat(chromium: Browser, service: Service) -> AsyncIterator[Chat]:
    """The page; it must send requests to the service only, and have no errors."""
    async with tab(chromium, service.url) as opened:
        await opened.load()
        yield opened
        assert opened.strangers == []
        assert opened.complaints == []
