"""Images and documents in a request: carried in it as base64, and never fetched from anywhere."""

import binascii
import mimetypes
import re

import msgspec

from service.dialects import media_types
from service.dialects.refusal import wrong
from service.generation import Block, Document, Image, ToolResult

_SPACES = re.compile(r"\s+")
_NO_NAME = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")  # Bedrock's document names: no dots, no underscores
_NAME_LENGTH = 200
_NAME_READ = 10 * _NAME_LENGTH  # characters of a title that is longer than any name

_TYPES = {"image/jpg": "image/jpeg"}


def image(url: str, field: str) -> Image:
    """Read an image from its data URL.

    Raises:
        InvalidRequest: it is no data URL of an image.
    """
    media_type, encoded = data_url(url, field)
    if not media_type.startswith("image/"):
        raise wrong(field, "This must be a data URL of an image.")
    found = media_types.image_type(encoded)  # many a client calls every image by one name, and OpenAI looks for itself
    if found is None:
        raise wrong(field, "This is not an image: PNG, JPEG, GIF and WebP can be read.")
    return Image(found, encoded)


def document(url: str, name: str | None, field: str) -> Document:
    """Read a document from its data URL; bare base64 will do where the file's name tells the type.

    Raises:
        InvalidRequest: neither can be read.
    """
    if not url.startswith("data:") and "://" not in url and (guessed := mimetypes.guess_type(name or "")[0]):
        return Document(guessed, base64(url, field), document_name(name))
    media_type, encoded = data_url(url, field)
    return Document(media_type, encoded, document_name(name))


def checked(given: Image, field: str) -> Image:
    """Hold an image to what it is said to be.

    Raises:
        InvalidRequest: it is something else.
    """
    if mistake := media_types.not_that_image(given.media_type, given.data):
        raise wrong(field, f"This {mistake}.")
    return given


def data_url(url: str, field: str) -> tuple[str, str]:
    """Split a data URL into its media type and its base64.

    Raises:
        InvalidRequest: it is another kind of URL, or not base64.
    """
    head, comma, encoded = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise wrong(field, "This must be a data URL (data:<media type>;base64,…); nothing is fetched from elsewhere.")
    return known(head.removeprefix("data:").partition(";")[0]), base64(encoded, field)


def known(media_type: str) -> str:
    """Put a media type as it is known: in lower case, and by its right name."""
    return _TYPES.get(media_type.lower(), media_type.lower())


def base64(data: str, field: str) -> str:
    """Check base64, and take out its white space where it has any.

    Raises:
        InvalidRequest: it is not base64, or empty.
    """
    if not _decodes(data):
        data = "".join(data.split())
        if not _decodes(data):
            raise wrong(field, "This is not valid base64.")
    if not data:
        raise wrong(field, "This is empty.")
    return data


def _decodes(data: str) -> bool:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:  # binascii.Error is one, and so is what it says of a character outside ASCII
        return False
    return True


def document_name(title: str | None) -> str:
    """Make a name that Bedrock takes: letters, digits, single spaces, hyphens, brackets and parentheses."""
    stem = (title or "").rsplit("/", 1)[-1]
    if "." in stem.lstrip("."):
        stem = stem.rsplit(".", 1)[0]
    name = _SPACES.sub(" ", _NO_NAME.sub("-", stem[:_NAME_READ])).strip(" -")
    return name[:_NAME_LENGTH].rstrip() or "document"


class Names:
    """Tells documents of one request apart: Bedrock refuses a name that comes twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def apart(self, block: Block) -> Block:
        """Give a document a name of its own."""
        match block:
            case Document():
                return msgspec.structs.replace(block, name=self._free(block.name))
            case ToolResult() if any(isinstance(part, Document) for part in block.content):
                content = tuple(
                    msgspec.structs.replace(part, name=self._free(part.name)) if isinstance(part, Document) else part
                    for part in block.content
                )
                return msgspec.structs.replace(block, content=content)
        return block

    def _free(self, name: str) -> str:
        stem = name[: _NAME_LENGTH - 8]
        free, number = name, self._numbers.get(stem, 1)
        while free in self._taken:
            number += 1
            free = f"{stem} ({number})"
        self._numbers[stem] = number
        self._taken.add(free)
        return free
