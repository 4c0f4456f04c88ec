"""Reads attachments: their size, the pixels of images, the text of plain documents."""

import struct
from base64 import b64decode
from binascii import Error

from service.local.prompt import Media
from service.local.refusal import LocalRefusal

_TEXTS = frozenset({"txt", "md", "csv", "html", "text", "plain"})
_MAGIC = {"png": b"\x89PNG", "jpeg": b"\xff\xd8", "gif": b"GIF8", "webp": b"RIFF", "pdf": b"%PDF"}


def decode_base64(encoded: str, path: str) -> bytes:
    """Decode base64.

    Raises:
        LocalRefusal: `encoded` is not base64.
    """
    try:
        return b64decode(encoded, validate=True)
    except (Error, ValueError) as error:
        raise LocalRefusal(f"{path}: Invalid base64 data") from error


def read_image(format_: str, content: bytes) -> Media:
    """Describe an image.

    Raises:
        LocalRefusal: the content is not in that format.
    """
    magic = _MAGIC.get(format_, b"")
    if not content.startswith(magic):
        raise LocalRefusal(f"Could not process image: the file is not in the format {format_}")
    width, height = _measure_pixels(format_, content)
    return Media("image", format_, len(content), width=width, height=height)


def read_document(format_: str, name: str, content: bytes, *, cited: bool = False) -> Media:
    """Describe a document, with the text of a plain one."""
    text = content.decode(errors="replace") if format_ in _TEXTS else ""
    return Media("document", format_, len(content), name, text, cited=cited)


def _measure_pixels(format_: str, content: bytes) -> tuple[int, int]:
    if format_ == "png" and len(content) >= 24:  # noqa: PLR2004 the header's length
        width, height = struct.unpack_from("!II", content, 16)
        return int(width), int(height)
    if format_ == "gif" and len(content) >= 10:  # noqa: PLR2004 the header's length
        width, height = struct.unpack_from("<HH", content, 6)
        return int(width), int(height)
    return 0, 0
