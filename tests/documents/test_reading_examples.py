"""How a page's examples are found, and how what they print is compared with what the page shows."""

import re
from pathlib import Path

import pytest

from tests.documents.examples import examples_of, fits, pages

PAGE = """
<!-- not run: it needs AWS -->
```sh
aws sts get-caller-identity
```

```sh
curl a
```

<!-- output -->
```json
{"id": "9a…", "n": 1, …}
```

<!-- after the one above -->
<!-- ends with 22 -->
```sh
curl b
```
"""


def test_notes_and_output_belong_to_their_blocks() -> None:
    first, second, third = examples_of(PAGE, "a.md")

    assert (first.why_not, first.line) == ("it needs AWS", 3)
    assert (second.why_not, second.status, second.program) == (None, 0, "curl a\n")
    assert second.shown is not None
    assert (third.status, third.program) == (22, "curl a\n\ncurl b\n")


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ('{"a": "9…", "b": 1, "c": null}', '{"a": "x", "b": 2.5, "c": {}}', True),
        ('{"a": …}', '{"a": {"b": 1}}', True),
        ('{"a": 1}', '{"a": 1, "b": 2}', False),
        ('{"a": 1, …}', '{"a": 1, "b": 2}', True),
        ('{"a": {…}, "c": […]}', '{"a": {"b": 1}, "c": []}', True),
        ('{"a": 1, …}', '{"b": 2}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": [{"b": 1}]}', '{"a": [{"b": 1}, {"b": 3}]}', True),
        ("id: …-1\nevent: start\n…\ndone", "id: 5f-1\nevent: start\ndata: {}\n\ndone\n", True),
        ("id: …-1\nevent: start", "id: 5f-1\nevent: end", False),
    ],
)
def test_an_output_is_compared_by_its_shape(shown: str, printed: str, *, expected: bool) -> None:
    assert fits(shown, printed) is expected


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_stand_in_blocks_that_are_run(page: Path) -> None:
    """Without a language, or with another name of it, a block would be passed over."""
    passed_over = r"^```(?:shell|console|javascript|mjs|ts|py)?\n(?:\$ |curl |artesian |import |from \w+ import )"

    assert re.findall(passed_over, page.read_text("utf-8"), re.MULTILINE) == []
