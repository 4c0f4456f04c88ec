"""Server-Sent Events framing (WHATWG HTML, section 9.2), and JSON that no reader takes for a line end."""

import re
from typing import Any

import msgspec

KEEP_ALIVE = b": keep-alive\n"
"""A comment line without a blank line of its own: some readers make an empty event of anything else."""

_encoder = msgspec.json.Encoder()

# U+0085, U+2028 and U+2029 in UTF-8. httpx's `iter_lines` ends a line at each (0.28.1); VT and FF are escaped by JSON.
_LINE_ENDS = re.compile(b"\xc2\x85|\xe2\x80[\xa8\xa9]")
_ESCAPES = {b"\xc2\x85": rb"\u0085", b"\xe2\x80\xa8": rb"\u2028", b"\xe2\x80\xa9": rb"\u2029"}


def dumps(value: Any) -> bytes:
    """Encode JSON on one line, whatever the reader takes for a line end."""
    encoded = _encoder.encode(value)
    return encoded if encoded.isascii() else escape_line_ends(encoded)


def escape_line_ends(encoded: bytes) -> bytes:
    """Escape the three characters that JSON leaves raw; valid inside JSON strings only."""
    return _LINE_ENDS.sub(lambda found: _ESCAPES[found[0]], encoded)
