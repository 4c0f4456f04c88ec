"""Strings and objects of a native request, held to what those who read them after us can take."""

import binascii
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_DEEPEST = 64  # an object within another; nobody's schema is, and recursive readers give up at some hundred


def _base64(value: str) -> str:
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        raise ValueError("must be base64, without line breaks or a data: prefix") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty or blank")
    return value


def _of_characters(value: str) -> str:
    """Refuse half of a surrogate pair, which JSON's escapes can write and no UTF-8 can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds a character that is not one") from None
    return value


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON can write and those who read it cannot: endless nesting, half a character."""
    within: list[Any] = [value]
    for _ in range(_DEEPEST):
        within = [inner for outer in within for inner in _inside(outer)]
        if not within:
            return value
    raise ValueError(f"is nested more than {_DEEPEST} deep")


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        _of_characters(value)
    elif isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value


Base64 = Annotated[str, Field(min_length=1), AfterValidator(_base64)]
Characters = Annotated[str, AfterValidator(_of_characters)]
Said = Annotated[Characters, AfterValidator(_not_blank)]
Object = Annotated[dict[str, Any], AfterValidator(_plain)]
