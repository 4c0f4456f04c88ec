"""The examples of the README and of docs/: found, and put together as a reader would who follows the page.

A fenced block in `sh`, `python` or `js` is an example, and is run. A comment above it says what is special:

* `<!-- not run: why -->`: it needs what no test has, AWS for one
* `<!-- after the one above -->`: the block above stands before it, in the same shell, program or page
* `<!-- with what follows -->`: it is a part, run as soon as something stands after it
* `<!-- in a page -->`: this JavaScript runs in a browser, on a page of the service
* `<!-- ends with 22 -->`: its exit status, where that is not 0
* `<!-- prints nothing -->`

`<!-- output -->` above any other block: this is what the example before it prints. `…` stands for anything; JSON is
compared by its members and their types.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RUNNABLE = {"sh", "bash", "python", "js"}

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL
)
_MORE_MEMBERS = re.compile(r"(?<=[{,])\s*…\s*(?=})")
_ANY_VALUE = re.compile(r"(?<=[:\[])\s*…\s*(?=[,}\]])|(?<=,)\s*…\s*(?=])")
_NOTES = re.compile(r"(?:<!-- ([^\n]+?) -->\n+)+\Z")


@dataclass
class Example:
    """One block, and what the page says about it."""

    page: str
    line: int
    language: str
    code: str
    notes: list[str]
    before: "Example | None" = None
    shown: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def said(self, note: str) -> str | None:
        """What follows a note's first words, or None."""
        return next((each.removeprefix(note).strip(": ") for each in self.notes if each.startswith(note)), None)

    @property
    def why_not(self) -> str | None:
        """Why it is not run."""
        return self.said("not run")

    @property
    def status(self) -> int:
        """The exit status it should have."""
        return int(self.said("ends with") or 0)

    @property
    def program(self) -> str:
        """The whole of it, with what stands above."""
        return f"{self.before.program}\n{self.code}" if self.before else self.code


def pages() -> list[Path]:
    """The pages whose examples count; decisions are history."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples() -> list[Example]:
    """Every example of every page, in their order."""
    return [example for page in pages() for example in examples_of(page.read_text("utf-8"), page.name)]


def examples_of(text: str, page: str) -> list[Example]:
    """The examples of one page, with the output that it shows."""
    found: list[Example] = []
    for block in _blocks(text, page):
        if block.language in RUNNABLE:
            if block.said("after the one above") is not None:
                block.before = found[-1]
            found.append(block)
        elif block.said("output") is not None:
            found[-1].shown = block.code
    return found


def _blocks(text: str, page: str) -> Iterator[Example]:
    for block in _BLOCK.finditer(text):
        above = _NOTES.search(text, 0, block.start())
        notes = re.findall(r"<!-- ([^\n]+?) -->", above[0]) if above else []
        code = re.sub(rf"^{block['indent']}", "", block["code"], flags=re.MULTILINE)
        yield Example(page, text.count("\n", 0, block.start()) + 1, block["language"], code, notes)


def fits(shown: str, printed: str) -> bool:
    """Whether an output has the shape that a page shows."""
    try:
        wanted = json.loads(_MORE_MEMBERS.sub('"…": 0', _ANY_VALUE.sub('"…"', shown)))
    except ValueError:
        pattern = r"[\s\S]*?".join(re.escape(part) for part in shown.strip().split("…"))
        return re.fullmatch(pattern, printed.strip()) is not None
    return _alike(wanted, json.loads(printed))


def _alike(wanted: Any, printed: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(printed, dict):
        named = wanted.keys() - {"…"}
        whole = named == printed.keys() or ("…" in wanted and named <= printed.keys())
        return whole and all(_alike(wanted[key], printed[key]) for key in named)
    if isinstance(wanted, list) and isinstance(printed, list):
        return not wanted or "…" in wanted or (bool(printed) and _alike(wanted[0], printed[0]))
    if wanted == "…" or wanted is None or printed is None:
        return True
    if isinstance(wanted, bool) or isinstance(printed, bool):
        return isinstance(wanted, bool) and isinstance(printed, bool)
    return isinstance(printed, int | float if isinstance(wanted, int | float) else type(wanted))
