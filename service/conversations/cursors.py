"""Where a page ends and the next one begins, as an opaque word."""

import base64
import binascii
import re

from service.errors import InvalidRequest

_PLACE = re.compile(r"(\d{1,15}):([0-9a-f]{32}|-)")


def encode(number: int, name: str = "-") -> str:
    """Name a place."""
    return base64.urlsafe_b64encode(f"{number}:{name}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """Find a place again.

    Raises:
        InvalidRequest: 400, it is not one of ours.
    """
    try:
        place = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        place = ""
    if not (found := _PLACE.fullmatch(place)):
        raise InvalidRequest("cursor: must be a next_cursor of an earlier page.", status=400)
    return int(found[1]), found[2]
