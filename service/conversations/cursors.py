"""Encodes the end of a page as an opaque cursor."""

import base64
import binascii
import re

from service.errors import InvalidRequest

_PLACE = re.compile(r"(\d{1,15}):([0-9a-f]{32}|-)")


def encode(number: int, name: str = "-") -> str:
    """Encode a position."""
    return base64.urlsafe_b64encode(f"{number}:{name}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """Decode a position.

    Raises:
        InvalidRequest: 400, the cursor is invalid.
    """
    try:
        place = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        place = ""
    if not (found := _PLACE.fullmatch(place)):
        raise InvalidRequest("cursor must be the next_cursor of an earlier page.", status=400)
    return int(found[1]), found[2]
