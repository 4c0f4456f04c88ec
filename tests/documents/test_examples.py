"""What the README and docs/ tell people to type works when they type it."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.documents.examples import Example, examples, fits
from tests.harness import Service, running
from tests.node.test_node import installed  # the folder with other people's packages
from tests.page.browser import browser, tab
from tests.waiting import patience

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

ALL = examples()
RUN = [example for example in ALL if example.why_not is None and example.said("with what follows") is None]
LEFT = [example for example in ALL if example.why_not is not None]
IN_A_PAGE = [example for example in RUN if example.said("in a page") is not None]
TYPED = [example for example in RUN if example not in IN_A_PAGE]

OTHERS = re.compile(r"^import .+ from \"(?!node:)", re.MULTILINE)  # a package that is not node's own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    async with running(local_rate=1000) as running_service:
        yield running_service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started


def here(program: str, service: Service) -> str:
    """The same with this service's address, and with that of its Bedrock."""
    bedrock = str(service.bedrock.base_url).rstrip("/")
    return program.replace("http://127.0.0.1:8000", service.url).replace("http://127.0.0.1:4010", bedrock)


@pytest.mark.parametrize("example", TYPED, ids=str)
async def test_an_example_runs_as_it_stands(service: Service, tmp_path: Path, example: Example) -> None:
    (tmp_path / "notes.txt").write_text("Water flows up out of the rock.\nNobody pumps.\n")
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")  # a refusal is no answer
    process = await asyncio.create_subprocess_exec(
        *command(example, here(example.program, service), tmp_path),
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "PYTHONIOENCODING": "utf-8",
            "ARTESIAN_URL": service.url,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with patience():
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == example.status, (complaints or printed).decode()[-2000:]
    assert bool(printed.strip()) == (example.said("prints nothing") is None)
    if example.shown:
        assert fits(example.shown, printed.decode()), printed.decode()[:2000]


def command(example: Example, program: str, folder: Path) -> list[str]:
    """What runs a program in the example's language."""
    if example.language == "python":
        return [sys.executable, "-W", "error", "-c", program]
    if example.language in {"sh", "bash"}:
        wanted("curl", program)
        return [shutil.which("bash") or "sh", "-euc", program]
    script = (installed() if OTHERS.search(program) else folder) / f"example-{os.getpid()}-{example.line}.mjs"
    script.write_text(program)
    return [wanted("node", "node"), str(script)]


def wanted(tool: str, program: str) -> str:
    """Where a tool is that the program calls; without it the test is skipped."""
    found = shutil.which(tool)
    if tool in program and not found:
        pytest.skip(f"{tool} is not here")
    return found or ""


@pytest.mark.parametrize("example", IN_A_PAGE, ids=str)
async def test_an_example_for_a_page_shows_the_answer_there(
    service: Service, chromium: Browser, example: Example
) -> None:
    async with tab(chromium, service.url) as opened:
        # A page of the reader's own, on the service's origin; the service's pages run no script but their files.
        blank = "<!doctype html><link rel=icon href='data:,'><title>A page</title>"
        await opened.page.route("**/own-page", lambda route: route.fulfill(body=blank, content_type="text/html"))
        await opened.page.goto(f"{service.url}/own-page")
        await opened.page.add_script_tag(content=example.program, type="module")
        await opened.page.wait_for_function("document.body.innerText.split(' ').length > 10", timeout=10_000)

        assert opened.complaints == []


@pytest.mark.parametrize("example", LEFT, ids=lambda example: f"{example}, {example.why_not}")
async def test_an_example_that_is_not_run_says_why_and_is_well_formed(tmp_path: Path, example: Example) -> None:
    assert example.why_not
    if example.language == "python":
        compile(example.code, str(example), "exec")
        return
    script = tmp_path / "example.mjs"
    script.write_text(example.code)
    checker = ["bash", "-n"] if example.language in {"sh", "bash"} else [wanted("node", "node"), "--check"]
    process = await asyncio.create_subprocess_exec(*checker, str(script), stderr=asyncio.subprocess.PIPE)
    _, complaints = await process.communicate()

    assert (process.returncode, complaints) == (0, b"")
