"""The chat page in a real Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, async_playwright, expect

from tests.plugins.chromium import QUIET, chromium

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 800}

expect.set_options(timeout=10_000)


@dataclass
class Chat:
    """A tab with the chat page, and the problems noticed in it."""

    page: Page
    url: str
    strangers: list[str] = field(default_factory=list)
    """Requests to other servers than the service."""
    complaints: list[str] = field(default_factory=list)
    """Errors of the console and of the page."""

    @property
    def box(self) -> Locator:
        """The message box."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.page.locator("article.assistant").last

    @property
    def status(self) -> Locator:
        """The status line."""
        return self.page.get_by_role("status")

    def button(self, name: str) -> Locator:
        """A button by its full name."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def load(self, path: str = "/") -> None:
        """Open the page and wait until it is ready."""
        await self.page.goto(self.url + path)
        await expect(self.page.locator("#model option").first).to_be_attached()

    async def ask(self, text: str, how: Literal["Stream", "Complete response"] = "Stream") -> None:
        """Type a message and send it."""
        await self.box.fill(text)
        await self.button(how).click()

    async def done(self) -> None:
        """Wait for the end of the answer."""
        await expect(self.status).to_have_text("Answer complete")

    async def order(self, fault: str | None) -> None:
        """Send the next messages with a fault for the local Bedrock."""
        await self.page.unroute_all()
        if fault:

            async def with_fault(route: Any) -> None:
                await route.continue_(headers={**route.request.headers, "x-artesian-fault": fault})

            await self.page.route(re.compile("/messages$"), with_fault)

    async def picture(self, name: str) -> None:
        """Store a screenshot for review."""
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run a Chromium without background requests."""
    path = chromium()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=QUIET)
        try:
            yield running
        finally:
            await running.close()


@asynccontextmanager
async def tab(running: Browser, url: str, *, phone: bool = False, dark: bool = False) -> AsyncIterator[Chat]:
    """Open a tab of a new profile, and record its problems."""
    context = await running.new_context(
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]  # a dict is what it takes
        has_touch=phone,
        color_scheme="dark" if dark else "light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = await context.new_page()
    chat = Chat(page, url)

    def requested(request: Request) -> None:
        at = urlsplit(request.url)
        if at.scheme not in {"data", "blob"} and f"{at.scheme}://{at.netloc}" != url:
            chat.strangers.append(request.url)

    def complained(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            chat.complaints.append(message.text)

    page.on("request", requested)
    page.on("console", complained)
    page.on("pageerror", lambda error: chat.complaints.append(str(error)))
    try:
        yield chat
    finally:
        await context.close()
