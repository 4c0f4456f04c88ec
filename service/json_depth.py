"""How deep JSON may go: what is nested without end is for no reader, and many read by recursion.

Python's parsers and writers of JSON and MessagePack give up at some hundred levels, each at its own; a schema or a
call's arguments have a dozen.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

DEEPEST = 64
"""Levels of lists and objects within one another, in what a caller or a model may make up freely."""


class TooDeep(ValueError):
    """It is nested deeper than it may be."""


def values_of(value: Any, levels: int = DEEPEST) -> Iterator[Any]:
    """Visit everything in a value, keys too, level by level.

    Raises:
        TooDeep: there are more levels.
    """
    level = [value]
    for _ in range(levels + 1):
        yield from level
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise TooDeep(f"is nested more than {levels} deep")


def is_too_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Whether a value has more levels than it may."""
    try:
        for _ in values_of(value, levels):
            pass
    except TooDeep:
        return True
    return False


def read_object(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object of somebody's making.

    Raises:
        ValueError: it is none, or nested without end.
    """
    try:
        said: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except (RecursionError, UnicodeDecodeError):
        raise TooDeep("cannot be read") from None
    if is_too_deep(said):
        raise TooDeep(f"is nested more than {DEEPEST} deep")
    return said


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
