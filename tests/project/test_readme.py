"""The README and docs/: their commands and their links. Their examples are run by tests/documents/test_examples.py."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CHANGELOG.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]
A_PAGE = 90
"""Lines that stand on one page."""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """Where a page leads to, within the repository."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for link in links(page):
        target, _, anchor = link.partition("#")
        to = page.parent / target if target else page
        assert to.exists(), link
        if anchor:
            assert anchor in anchors(to), link


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= A_PAGE


def test_every_page_is_in_the_index() -> None:
    index = links(ROOT / "docs" / "README.md")

    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(index)


def test_every_decision_is_in_their_index() -> None:
    folder = ROOT / "docs" / "decisions"

    assert {page.name for page in folder.glob("0*.md")} <= set(links(folder / "README.md"))


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_named_are_the_makefiles(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z]+)\b", (ROOT / name).read_text(), re.MULTILINE)) <= targets
