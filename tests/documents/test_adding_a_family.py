"""docs/adding-a-family.md names every place that a family has: Titan, which is of that size, stands in each."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-family.md").read_text("utf-8")
NAMED = {path for path in re.findall(r"`((?:service|tests)/[\w/]+\.py)`", PAGE) if "quartz" not in path}
OPTIONAL = {"service/local/templates.py", "tests/local/test_families.py"}


@pytest.mark.parametrize("path", sorted(NAMED - OPTIONAL))
def test_a_place_that_the_page_names_has_the_family_of_its_size(path: str) -> None:
    assert re.search("titan|inputText", (ROOT / path).read_text("utf-8"), re.IGNORECASE)


def test_no_place_of_a_family_in_the_service_is_left_out() -> None:
    found = subprocess.run(
        ["/usr/bin/env", "grep", "-rlwE", "--include=*.py", "titan", "service"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip

    manners = {"service/local/converse/answer.py"}  # how fast it speaks: only where it is odd
    assert {path for path in found if "families/titan" not in path} - manners <= NAMED
