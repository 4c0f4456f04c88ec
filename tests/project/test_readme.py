"""What the README tells people to type works when they type it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.plugins.chromium import QUIET, chromium
from tests.project.running import Running, running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's code blocks in one language."""
    return re.findall(rf"^```{language}\n(.+?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


@pytest.mark.parametrize("command", [block for block in blocks("sh") if block.startswith("curl")])
def test_a_curl_line_streams(command: str, service: Running) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")

    said = subprocess.run(
        ["/bin/sh", "-c", command.replace("http://127.0.0.1:8000", service.url)],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    ).stdout

    assert said.count('data: {"text":') > 3
    assert '"done":true' in said


def test_the_python_example_prints_the_answer(service: Running) -> None:
    (example,) = blocks("python")

    ended = subprocess.run(
        [sys.executable, "-c", example.replace("http://127.0.0.1:8000", service.url)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split()) > 3


async def test_the_javascript_example_shows_the_answer_in_a_page(service: Running) -> None:
    (example,) = blocks("js")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        page = await browser.new_page()
        await page.goto(f"{service.url}/healthz")
        before = await page.inner_text("body")

        await page.add_script_tag(content=example)
        await page.wait_for_function("typeof source !== 'undefined' && source.readyState === EventSource.CLOSED")

        assert len((await page.inner_text("body")).removeprefix(before).split()) > 3
        await browser.close()


def test_the_policy_is_json_and_allows_what_the_service_calls() -> None:
    (policy,) = map(json.loads, blocks("json"))

    allowed = [statement["Action"] for statement in policy["Statement"]]
    actions = {action for entry in allowed for action in ([entry] if isinstance(entry, str) else entry)}
    assert actions == {
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
        "bedrock:GetInferenceProfile",
        "bedrock:CountTokens",
    }


def test_the_commands_named_are_the_makefiles() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z]+)\b", "".join(blocks("sh")))) <= targets


def test_every_link_leads_somewhere() -> None:
    for name in ["README.md", "CHANGELOG.md", *(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]:
        page = ROOT / name
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{name}: {target}"
