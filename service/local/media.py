"""Looks into what was attached: how large it is, how wide, what it says."""

import struct
from base64 import b64decode
from binascii import Error

from service.local.prompt import Media
from service.local.refusal import LocalRefusal

_TEXTS = frozenset({"txt", "md", "csv", "html", "text", "plain"})
_MAGIC = {"png": b"\x89PNG", "jpeg": b"\xff\xd8", "gif": b"GIF8", "webp": b"RIFF", "pdf": b"%PDF"}


def decoded(encoded: str, place: str) -> bytes:
    """Decode base64.

    Raises:
        Refused: it is none.
    """
    try:
        return b64decode(encoded, validate=True)
    except (Error, ValueError) as mistake:
        raise LocalRefusal(f"{place}: Invalid base64 data") from mistake


def image(form: str, content: bytes) -> Media:
    """Describe an image.

    Raises:
        Refused: it is not in the form it is said to have.
    """
    magic = _MAGIC.get(form, b"")
    if not content.startswith(magic):
        raise LocalRefusal(f"Could not process image: the file is no {form}")
    width, height = _pixels(form, content)
    return Media("image", form, len(content), width=width, height=height)


def document(form: str, name: str, content: bytes, *, cited: bool = False) -> Media:
    """Describe a document, with its text where it is plain."""
    text = content.decode(errors="replace") if form in _TEXTS else ""
    return Media("document", form, len(content), name, text, cited=cited)


def _pixels(form: str, content: bytes) -> tuple[int, int]:
    if form == "png" and len(content) >= 24:  # noqa: PLR2004 the header's length
        width, height = struct.unpack_from("!II", content, 16)
        return int(width), int(height)
    if form == "gif" and len(content) >= 10:  # noqa: PLR2004 the header's length
        width, height = struct.unpack_from("<HH", content, 6)
        return int(width), int(height)
    return 0, 0
