"""What docs/resuming.md gives to pages and programs, on a way that breaks: a browser's EventSource first of all."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from tests.failover.conftest import Pair
from tests.failover.proxy import Proxy, proxy
from tests.failover.reader import Reader
from tests.plugins.chromium import QUIET, chromium

DOCUMENT = (Path(__file__).parents[2] / "docs" / "resuming.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


EVENT_SOURCE, FETCH, FETCHING = blocks("js")
PROMPT = "Why do artesian wells flow?"
CUTS = [1500, 1500, 1800, 1100, 700]  # bytes of each connection's answers; the start event is in the first ones
NEVER_CLOSES = "const never = { close() {} }\n" + EVENT_SOURCE.replace("source.close()", "never.close()")


@asynccontextmanager
async def page_at(url: str) -> AsyncIterator[Page]:
    """Open a page of the service's own origin."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        page = await browser.new_page()
        await page.route("**/page", lambda route: route.fulfill(content_type="text/html", body="<title>A page</title>"))
        await page.goto(f"{url}/page")  # somebody's own: the service's pages let no script of a test's in
        yield page
        await browser.close()


@asynccontextmanager
async def breaking(pair: Pair, cuts: list[int]) -> AsyncIterator[Proxy]:
    """A way to both replicas whose first connections are cut."""
    async with proxy(pair.here.port, pair.there.port, cut=dict(enumerate(cuts)).get) as way:
        yield way


async def answer(pair: Pair) -> str:
    """The text without any cut."""
    reader = Reader(pair.here, body={"prompt": PROMPT})
    await reader.run()
    return reader.text


async def show(page: Page, script: str, until: str) -> str:
    """Run a script that appends to the page, and return what the page shows when it is over."""
    await page.evaluate(f"{script}\n;undefined")
    await page.wait_for_function(until, timeout=25_000)
    shown: str = await page.evaluate("document.body.textContent")
    return shown


@pytest.mark.parametrize(
    ("source", "cuts"),
    [(EVENT_SOURCE, CUTS[:2]), (NEVER_CLOSES, CUTS)],
    ids=["which the page closes", "which the 204 stops"],
)
async def test_a_browsers_event_source_comes_back_by_itself_and_stops_at_the_end(
    valkey_pair: Pair, source: str, cuts: list[int]
) -> None:
    whole = await answer(valkey_pair)
    before = len(await valkey_pair.bedrock.all_calls())
    script = source + "\nglobalThis.it = source"
    async with breaking(valkey_pair, cuts) as way, page_at(way.url) as page:
        shown = await show(page, script, "it.readyState === EventSource.CLOSED")
        asked = list(way.requests)

    assert shown == whole
    assert len(await valkey_pair.bedrock.all_calls()) == before + 1
    assert sum(request.lower().count(b"last-event-id: ") for request in asked) > len(cuts) - 2


async def test_a_pages_fetch_comes_back_even_before_the_first_event(valkey_pair: Pair) -> None:
    whole = await answer(valkey_pair)
    before = len(await valkey_pair.bedrock.all_calls())
    script = (
        "globalThis.over = false; globalThis.show = text => document.body.append(text)\n"
        f"{FETCH}\n;(async () => {{ {FETCHING} }})().finally(() => {{ over = true }})"
    )
    async with breaking(valkey_pair, [400, 600, 1500, 700]) as way, page_at(way.url) as page:
        shown = await show(page, script, "over")
        asked = list(way.requests)

    assert shown == whole
    assert len(await valkey_pair.bedrock.all_calls()) == before + 1
    assert sum(request.count(b"POST ") for request in asked) > 3


@pytest.mark.parametrize("program", blocks("python"), ids=["artesian", "httpx alone"])
async def test_a_program_comes_back_and_prints_the_whole_answer(valkey_pair: Pair, program: str) -> None:
    whole = await answer(valkey_pair)
    before = len(await valkey_pair.bedrock.all_calls())
    async with breaking(valkey_pair, [300, 800, 1500]) as way:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program.replace("http://127.0.0.1:8000", way.url)),
            cwd=Path(__file__).parents[2],
            env=os.environ | {"ARTESIAN_URL": way.url},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()

    assert said.decode() == whole
    assert len(await valkey_pair.bedrock.all_calls()) == before + 1
