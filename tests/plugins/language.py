"""Finds banned expressions in the tree: `python -m tests.plugins.language` (part of `make lint`).

The project is written in plain technical English (docs/words.md). The expressions below have a plain equivalent.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BANNED = re.compile(
    r"\b(?:whoever|nobody|somebody|anybody|anew|shall|is told|has come|goes on|comes back|lets go)\b", re.IGNORECASE
)
EXCLUDED = (
    "LICENSE",
    "docs/words.md",  # lists words with what they replace
    "docs/bench/",
    "service/local/text/",  # what the local Bedrock answers is prose, not documentation
    "tests/plugins/language.py",
)
SUFFIXES = {
    ".py", ".md", ".js", ".mjs", ".html", ".css", ".toml", ".yaml", ".yml", ".conf", ".example", ".sh", ".json", "",
}  # fmt: skip


def main() -> int:
    """Print each banned expression with its place; the exit status is 1 if there is one."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    found = [place for name in listed.stdout.splitlines() if _is_checked(name) for place in _find(ROOT / name)]
    for place in found:
        print(place)  # noqa: T201 - this is a command
    return 1 if found else 0


def _is_checked(name: str) -> bool:
    path = Path(name)
    return path.suffix in SUFFIXES and "lock" not in path.name and not name.startswith(EXCLUDED)


def _find(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r}: see docs/words.md"
        for number, line in enumerate(lines, 1)
        if (match := BANNED.search(line)) and not line.lstrip().startswith(">")
    ]


if __name__ == "__main__":
    sys.exit(main())
