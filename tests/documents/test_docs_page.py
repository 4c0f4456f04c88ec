"""`/docs`: the interface to be read and tried, with nobody else's help."""

import re

import pytest
from playwright.async_api import expect

from tests.harness import Service
from tests.page.browsing import browser, tab

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_all_that_the_page_is_made_of_comes_from_the_service(shared: Service) -> None:
    page = await shared.http.get("/docs")
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert len(parts) >= 3
    for part in parts:
        assert re.fullmatch(r"/[^/].*", part), part
        assert (await shared.http.get(part)).status_code == 200, part
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text).replace("://", "")


async def test_a_browser_is_told_to_load_nothing_from_elsewhere(shared: Service) -> None:
    policy = (await shared.http.get("/docs")).headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "http" not in policy


async def test_a_browser_shows_every_call_and_asks_nobody_else(shared: Service) -> None:
    async with browser() as chromium, tab(chromium, shared.url) as opened:
        await opened.page.goto(f"{shared.url}/docs")
        await expect(opened.page.locator(".opblock-summary-path").first).to_be_visible()
        shown = set(await opened.page.locator(".opblock-summary-path").all_inner_texts())
        errors = await opened.page.locator(".errors-wrapper, .loading-container .failed-config").count()

        assert {path.replace("\u200b", "") for path in shown} >= {"/api/generate", "/api/streams/{stream_id}"}
        assert errors == 0
        assert opened.strangers == []
        assert opened.complaints == []
