"""`/docs`: the interface to be read and tried, with nobody else's help."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect

from tests.harness import Service
from tests.limits.keyed import limited
from tests.native.gates import call_of, release
from tests.page.browser import Chat, browser, tab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def docs(chromium: Browser, shared: Service) -> AsyncIterator[Page]:
    """The page, which must ask nobody but the service for anything, and have nothing to complain of."""
    async with tab(chromium, shared.url) as opened:
        yield await opened_docs(opened)
        assert opened.strangers == []
        assert opened.complaints == []


async def opened_docs(opened: Chat) -> Page:
    await opened.page.goto(f"{opened.url}/docs")
    await expect(opened.page.locator("#call option").first).to_be_attached()
    return opened.page


async def choose(page: Page, call: str) -> None:
    await page.get_by_label("Call", exact=True).select_option(label=call)


async def order(page: Page, fault: str) -> None:
    """Ask for a fault as anybody could: by a header."""
    headers = page.get_by_label("Headers, one a line")
    if not await headers.is_visible():
        await page.get_by_text("Headers and key").click()
    await headers.fill(f"X-Artesian-Fault: {fault}")


def events(page: Page) -> Locator:
    return page.locator("#events li")


def state(page: Page) -> Locator:
    return page.locator("#state")


async def test_all_that_the_page_is_made_of_comes_from_the_service(shared: Service) -> None:
    page = await shared.http.get("/docs")
    parts = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert len(parts) >= 5
    for part in parts:
        assert re.fullmatch(r"/[^/].*", part), part
        assert (await shared.http.get(part)).status_code == 200, part
    assert "//" not in page.text


async def test_no_script_stands_in_the_page_itself(shared: Service) -> None:
    page = await shared.http.get("/docs")

    assert re.findall(r"<script[^>]*>([^<]+)", page.text) == []
    assert re.findall(r"\son\w+=|javascript:", page.text) == []
    policy = page.headers["content-security-policy"]
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert re.search(r"(script-src|default-src)[^;]*unsafe-inline", policy) is None


async def test_a_browser_shows_every_call_and_asks_nobody_else(docs: Page) -> None:
    await expect(docs.locator(".opblock-summary-path").first).to_be_visible()
    shown = set(await docs.locator(".opblock-summary-path").all_inner_texts())

    assert {path.replace("\u200b", "") for path in shown} >= {"/api/generate", "/api/streams/{stream_id}"}
    assert await docs.locator(".errors-wrapper, .loading-container .failed-config").count() == 0


async def test_every_call_that_streams_is_offered(docs: Page, document: dict[str, Any]) -> None:
    streaming = [
        f"{method.upper()} {path}"
        for path, calls in document["paths"].items()
        for method, call in calls.items()
        if "text/event-stream" in call["responses"].get("200", {}).get("content", {})
    ]

    assert await docs.locator("#call option").all_inner_texts() == streaming


EVENTS = {
    "POST /api/generate/stream": {"start", "message", "reasoning", "tool_call", "progress", "status", "reconnect"},
    "POST /v1/messages": {"message_start", "content_block_delta", "message_delta", "ping", "error"},
    "POST /v1/responses": {"message"},
    "POST /v1/chat/completions": {"message"},
}


async def test_the_events_of_a_call_are_listed_with_their_members(docs: Page) -> None:
    for call, names in EVENTS.items():
        await choose(docs, call)

        assert set(await docs.locator("#kinds dt").all_inner_texts()) >= names, call
        members = await docs.locator("#kinds li code").all_inner_texts()
        assert len(members) > 5, call
        assert all(members), call


async def test_each_event_is_shown_when_it_comes_and_not_at_the_end(docs: Page, shared: Service) -> None:
    await choose(docs, "POST /api/generate/stream")
    await order(docs, "gate@2")
    await docs.get_by_role("button", name="Stream", exact=True).click()

    await expect(events(docs).filter(has_text='"text"')).to_have_count(2)
    await expect(state(docs)).to_have_text("Streaming…")
    await release(shared)
    await expect(state(docs)).to_contain_text("Complete.")
    await expect(events(docs).last).to_contain_text('"done":true')
    numbers = await docs.locator("#events .number").all_inner_texts()
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert await docs.locator("#events .name").first.inner_text() == "start"


async def test_stop_stops_the_model_and_shows_the_end(docs: Page, shared: Service) -> None:
    await choose(docs, "POST /api/generate/stream")
    await order(docs, "gate@2")
    await docs.get_by_role("button", name="Stream", exact=True).click()
    await expect(events(docs).filter(has_text='"text"')).to_have_count(2)
    number = len(await shared.calls())

    await docs.get_by_role("button", name="Stop", exact=True).click()

    await expect(events(docs).last).to_contain_text('"stop_reason":"cancelled"')
    await expect(state(docs)).to_contain_text("Stopped.")
    assert (await call_of(shared, number, state="closed"))["client_left"] is True


async def test_stop_before_the_first_event_hangs_up(docs: Page, shared: Service) -> None:
    await choose(docs, "POST /v1/chat/completions")
    await order(docs, "gate")
    number = len(await shared.calls()) + 1
    await docs.get_by_role("button", name="Stream", exact=True).click()
    await call_of(shared, number, state="waiting")

    await docs.get_by_role("button", name="Stop", exact=True).click()

    await expect(state(docs)).to_have_text("Stopped. No event was received.")
    assert (await call_of(shared, number, state="closed"))["client_left"] is True


LASTS = {
    "POST /api/generate": '"done":true',
    "GET /api/generate": '"done":true',
    "POST /v1/chat/completions": "[DONE]",
    "POST /v1/responses": "response.completed",
    "POST /v1/messages": "message_stop",
}


async def test_what_a_call_offers_to_ask_is_answered(docs: Page) -> None:
    for call, last in LASTS.items():
        await choose(docs, call)
        await docs.get_by_role("button", name="Stream", exact=True).click()

        await expect(events(docs).last).to_contain_text(last)
        await expect(state(docs)).to_contain_text("Complete.")


async def test_a_stream_that_was_seen_can_be_read_again(docs: Page) -> None:
    await choose(docs, "POST /api/generate/stream")
    await docs.get_by_role("button", name="Stream", exact=True).click()
    await expect(events(docs).last).to_contain_text('"done":true')
    first = await docs.locator("#events .data").all_inner_texts()

    await choose(docs, "GET /api/streams/{stream_id}")
    await docs.get_by_role("button", name="Stream", exact=True).click()

    await expect(events(docs).last).to_contain_text('"done":true')
    assert await docs.locator("#events .data").all_inner_texts() == first


async def test_the_keyboard_is_enough(docs: Page) -> None:
    await docs.get_by_label("Body", exact=True).focus()
    await docs.keyboard.press("Control+Enter")
    await expect(state(docs)).to_contain_text("Complete.")

    reached = []
    await docs.get_by_label("Call", exact=True).focus()
    for _ in range(5):
        await docs.keyboard.press("Tab")
        reached.append(await docs.evaluate("document.activeElement.id || document.activeElement.localName"))
    assert reached == ["address", "body", "summary", "start", "shown"]


async def test_a_refusal_is_shown_and_a_key_goes_in_a_header(chromium: Browser, tmp_path: Path) -> None:
    async with limited(tmp_path, {"the-key": {}}) as service, tab(chromium, service.url) as opened:
        addresses: list[str] = []
        opened.page.on("request", lambda request: addresses.append(request.url))
        page = await opened_docs(opened)
        await choose(page, "POST /api/generate/stream")
        await page.get_by_role("button", name="Stream", exact=True).click()
        await expect(state(page)).to_have_text("Rejected with status 401.")
        await expect(page.locator("#answer")).to_contain_text("An API key is needed")
        await expect(page.get_by_label("Key, where the service wants one")).to_be_focused()

        await page.keyboard.type("the-key")
        await order(page, "gate@2")
        await page.get_by_role("button", name="Stream", exact=True).click()
        await expect(events(page).filter(has_text='"text"')).to_have_count(2)
        await page.get_by_role("button", name="Stop", exact=True).click()

        await expect(events(page).last).to_contain_text('"stop_reason":"cancelled"')
        assert [address for address in addresses if "the-key" in address] == []


async def test_nobody_but_this_service_is_asked(docs: Page) -> None:
    await choose(docs, "POST /api/generate/stream")
    await docs.get_by_label("Address").fill("https://example.com/api/generate/stream")
    await docs.get_by_role("button", name="Stream", exact=True).click()

    await expect(state(docs)).to_contain_text("Requests can be sent to this service only.")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_axe_finds_nothing_in_our_part(chromium: Browser, shared: Service, *, phone: bool, dark: bool) -> None:
    async with tab(chromium, shared.url, phone=phone, dark=dark) as opened:
        page = await opened_docs(opened)
        await page.get_by_text("Headers and key").click()
        await page.get_by_role("button", name="Stream", exact=True).click()
        await expect(events(page).last).to_contain_text('"done":true')
        await expect(page.get_by_role("button", name="Stream", exact=True)).to_be_enabled()
        for part in (".top", "#streams"):  # Swagger UI has violations of its own
            found: Any = await Axe().run(page, context=part)
            assert found.response["violations"] == [], part
        await opened.picture(f"docs-{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}")
        width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0 or phone  # Swagger UI's own tables are wider than a phone
