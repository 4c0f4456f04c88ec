"""Strings and objects of a native request, held to what those who read them after us can take."""

import binascii
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from service.dialects import bounds
from service.json_depth import values_of


def _base64(value: str) -> str:
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        raise ValueError("must be base64, without line breaks or a data: prefix") from None
    return value


def _no_boolean(value: Any) -> Any:
    """Refuse true and false, which pydantic reads as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic reports a ValueError by field
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
    for inner in values_of(value):
        if isinstance(inner, str):
            _of_characters(inner)
    return value


Base64 = Annotated[str, Field(min_length=1), AfterValidator(_base64)]
Characters = Annotated[str, AfterValidator(_of_characters)]
Said = Annotated[Characters, AfterValidator(_not_blank)]
Object = Annotated[dict[str, Any], AfterValidator(_plain)]

# The bounds stand before the validator: behind it, pydantic writes no `minimum` and `maximum` into the schema.
Count = Annotated[int, Field(ge=1, le=bounds.LARGEST), BeforeValidator(_no_boolean)]
CountOrZero = Annotated[int, Field(ge=0, le=bounds.LARGEST), BeforeValidator(_no_boolean)]
MessageCount = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_no_boolean)]
