"""How many images and documents Bedrock takes in one request, how large, and of which kinds (Converse's API reference).

InvokeModel names no numbers of its own. Its makers' do not contradict them: 3.75 MB are 5 MB of base64, which is what
Anthropic takes of an image.
"""

from collections.abc import Iterator

from service.bedrock.words import DOCUMENTS as KINDS
from service.bedrock.words import placed
from service.errors import FieldError
from service.generation import Block, Document, Image, Request, ToolResult

IMAGES, IMAGE_BYTES = 20, 3_932_160
DOCUMENTS, DOCUMENT_BYTES = 5, 4_718_592
_MEGABYTE = 1 << 20


def refusals(request: Request) -> Iterator[FieldError]:
    """List the images and documents that are too large or too many, each at its place."""
    images = documents = 0
    for field, block in _attached(request):
        if isinstance(block, Image):
            images += 1
            yield from _judged(field, block.data, "images", images, IMAGES, IMAGE_BYTES)
        elif isinstance(block, Document):
            documents += 1
            if block.media_type.split(";")[0].strip() not in KINDS:
                yield FieldError(field, f"media_type: documents are {', '.join(KINDS.values())}")
            yield from _judged(field, block.data, "documents", documents, DOCUMENTS, DOCUMENT_BYTES)


def _judged(field: str, encoded: str, what: str, number: int, most: int, largest: int) -> Iterator[FieldError]:
    if number > most:
        yield FieldError(field, f"Bedrock takes at most {most} {what} in a request")
    if len(encoded) // 4 * 3 - encoded[-2:].count("=") > largest:
        yield FieldError(field, f"Bedrock takes {what} of at most {largest / _MEGABYTE:g} MB")


def _attached(request: Request) -> Iterator[tuple[str, Block]]:
    for field, block in placed(request):
        yield field, block
        if isinstance(block, ToolResult):
            for place, part in enumerate(block.content):
                yield f"{field}.content.{place}", part
