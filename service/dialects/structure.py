"""Counts the values and levels of a JSON text without building them, and refuses a text that holds too much.

What JSON costs in memory depends on its structure, not on its length: 3 MB of `{},{},…` become 72 MB of objects. The
text is scanned in pieces by C-level operations on bytes, so the scan itself needs no memory in proportion to the text.
"""

from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from service.errors import FieldError, InvalidRequest
from service.json_depth import DEEPEST

VALUES = 1_000_000
"""Values in one text: every string, number, literal, array and object; names of members are not counted."""

LIGHT = 1 << 20  # bytes; a shorter text may be as dense as it likes
DENSITY = 9
"""Bytes that may be built for each byte of a longer text, beside two or three copies of its characters: 12 in all."""

_ARRAY_BYTES, _STRING_BYTES = 80, 64  # CPython 3.11, 64 bit
_STRINGS_OF_OBJECT = 4  # two members: their cost is part of the object's
_PIECE = 16_384  # bytes scanned at a time; cut at every quote they take up to 0.4 MB
_SPACES = b" \t\r\n"
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Structure(NamedTuple):
    """What a text holds. `closed`: every string and bracket that it opens is closed; otherwise it is no JSON."""

    values: int
    objects: int
    arrays: int
    strings: int
    """Names of members are among them."""
    too_deep: bool
    closed: bool

    def weight(self, object_bytes: int) -> int:
        """Estimate the memory of what is built of the text, beside its characters."""
        loose = max(0, self.strings - _STRINGS_OF_OBJECT * self.objects)
        return object_bytes * self.objects + _ARRAY_BYTES * self.arrays + _STRING_BYTES * loose


class _Members(Struct):
    """Top-level members that an error can name; all others are skipped unread."""

    messages: Raw | UnsetType = UNSET
    input: Raw | UnsetType = UNSET
    content: Raw | UnsetType = UNSET
    tools: Raw | UnsetType = UNSET
    extra: Raw | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    system: Raw | UnsetType = UNSET
    stop_sequences: Raw | UnsetType = UNSET
    stop: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    output_schema: Raw | UnsetType = UNSET
    response_format: Raw | UnsetType = UNSET
    text: Raw | UnsetType = UNSET
    title: Raw | UnsetType = UNSET


def check(text: bytes, object_bytes: int) -> None:
    """Refuse a text that holds too many values, levels or, above 1 MB, small objects; what is no JSON is passed.

    `object_bytes` is what its reader builds for a small object.

    Raises:
        InvalidRequest: it holds too much; names the member where that is one of those a request has.
    """
    if len(text) <= LIGHT and text.count(b"[") + text.count(b"{") <= DEEPEST:
        return
    found = measure(text)
    if not found.closed:
        return
    if found.too_deep:
        raise _refused(_deepest(text), f"is nested more than {DEEPEST} levels deep")
    if found.values > VALUES:
        raise _refused(_largest(text, found.values), f"holds more than {VALUES:,} values, or the request does with it")
    if len(text) > LIGHT and found.weight(object_bytes) > DENSITY * len(text):
        least = object_bytes // DENSITY
        raise _refused(
            _largest(text, found.values),
            f"holds too many small values: above 1 MB a request has at most one object in {least} bytes",
        )


def measure(text: bytes, levels: int = DEEPEST) -> Structure:
    """Count the values of a JSON text, and compare its depth with a number of levels."""
    depth = commas = filled = start = quotes = arrays = objects = 0
    too_deep = inside = False
    last = b""
    while start < len(text):
        piece = _piece(text, start)
        start += len(piece)
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        quotes += len(parts) - 1
        outside = b'"'.join(parts[inside::2])
        inside ^= not len(parts) % 2
        brackets = outside.translate(_BRACKETS, _NOT_BRACKETS)
        opened, squares = brackets.count(b"("), outside.count(b"[")
        arrays, objects = arrays + squares, objects + opened - squares
        before, depth = depth, depth + 2 * opened - len(brackets)
        too_deep = too_deep or (before + opened > levels and _is_deeper(brackets, before, depth, levels))
        commas += outside.count(b",")
        outside = last + outside.translate(None, _SPACES)
        filled += opened - outside.count(b"[]") - outside.count(b"{}")
        last = outside[-1:] if outside[-1:] in {b"[", b"{"} and not inside else b""
    return Structure(1 + commas + filled, objects, arrays, quotes // 2, too_deep, depth == 0 and not inside)


def _piece(text: bytes, start: int) -> bytes:
    """Cut the next piece; an escape is not cut in two."""
    piece = text[start : start + _PIECE]
    escaping = (len(piece) - len(piece.rstrip(b"\\"))) % 2
    return text[start : start + len(piece) + 1] if escaping else piece


def _is_deeper(brackets: bytes, before: int, after: int, levels: int) -> bool:
    """Take the innermost pairs away, level by level."""
    left = b"(" * before + brackets + b")" * after
    for _ in range(levels):
        fewer = left.replace(b"()", b"")
        if len(fewer) == len(left):
            return False  # closed before it was opened: the parser refuses it
        if not fewer:
            return False
        left = fewer
    return True


def _members(text: bytes) -> dict[str, bytes]:
    try:
        found = msgspec.json.decode(text, type=_Members)
    except (ValueError, RecursionError):
        return {}
    given = {name: getattr(found, name) for name in _Members.__struct_fields__}
    return {name: bytes(value) for name, value in given.items() if value is not UNSET}


def _deepest(text: bytes) -> str:
    within = DEEPEST - 1  # the request itself is a level
    return next((name for name, value in _members(text).items() if measure(value, within).too_deep), "body")


def _largest(text: bytes, values: int) -> str:
    """Name the member that holds most of the values."""
    sizes = {name: measure(value).values for name, value in _members(text).items()}
    return next((name for name, size in sizes.items() if size > values // 2), "body")


def _refused(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}", [FieldError(field, message)])
