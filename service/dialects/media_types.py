"""What the first bytes of an image say it is, whatever its sender calls it."""

import binascii

_LOOK_AT = 16  # characters of base64: 12 bytes


def image_type(encoded: str) -> str | None:
    """Tell an image's media type from its base64; None: it is no image that Bedrock takes."""
    first = _first(encoded)
    if first.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if first.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if first.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    return None


def not_that_image(media_type: str, encoded: str) -> str | None:
    """Say what is wrong with an image of a declared type, if anything."""
    found = image_type(encoded)
    if found is None:
        return "is not an image: PNG, JPEG, GIF and WebP can be read"
    return None if found == media_type else f"is {found}, and media_type must say so"


def _first(encoded: str) -> bytes:
    """Decode the beginning; what is no base64 begins with nothing."""
    try:
        return binascii.a2b_base64(encoded[:_LOOK_AT])
    except (binascii.Error, ValueError):
        return b""
