"""The tables of docs/ that are computed: `python -m tests.documents.tables` writes them anew into their pages.

A table stands between `<!-- computed: name -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import sizing
from service.bedrock.catalog.offers import capabilities
from service.bedrock.catalog.resolution import MODELS, Model

DOCS = Path(__file__).parents[2] / "docs"
_COMPUTED = re.compile(r"(<!-- computed: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_CAN = ("system", "tools", "images", "documents", "reasoning", "continuation")


def models() -> str:
    """Every series of the catalogue with what its models can do."""
    series: dict[tuple[str, str], list[Model]] = {}
    for model in MODELS:
        series.setdefault((model.family, model.series), []).append(model)
    head = ["models", "family", "series", "capabilities"]
    rows = [_series_row(family, name, found) for (family, name), found in series.items()]
    return sizing.table(head, rows)


def _series_row(family: str, name: str, found: list[Model]) -> list[str]:
    ids = ", ".join(f"`{model.id}`{'†' if model.ended else ''}" for model in found)
    can = [capabilities(model) for model in found]
    marks = {what: _mark(each[what] for each in can) for what in _CAN}
    supported = ", ".join(f"{what}{mark}" for what, mark in marks.items() if mark is not None)
    return [ids, f"`{family}`", f"`{name}`", supported]


def _mark(answers: Iterable[bool | None]) -> str | None:
    """Return a capability's mark in a series: "" for all models, "*" for some, "?" if unknown, None for no model."""
    found = set(answers)
    if found == {True}:
        return ""
    if True in found:
        return "\\*"
    return None if found == {False} else "?"


TABLES: dict[str, Callable[[], str]] = {"models": models, **sizing.TABLES}


def computed(page: Path) -> str:
    """A page with its tables as they should be."""
    return _COMPUTED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[4]}", page.read_text("utf-8"))


def pages() -> list[Path]:
    """The pages that hold a computed table."""
    return [page for page in sorted(DOCS.glob("*.md")) if _COMPUTED.search(page.read_text("utf-8"))]


if __name__ == "__main__":
    for each in pages():
        each.write_text(computed(each), encoding="utf-8")
