"""The blocks of an Anthropic message, in our terms."""

import binascii
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from service.dialects import media
from service.dialects.anthropic_messages.tools import CacheControl
from service.dialects.body import spoken
from service.dialects.refusal import wrong
from service.errors import InvalidRequest
from service.generation import Block, CachePoint, Document, Image, ReasoningBlock, Text, ToolResult, ToolUse

Json = dict[str, Any]


class Source(Struct):
    """Where an image or a document comes from: `base64`, `text`, `content`; a `url` or `file` is refused."""

    type: str
    media_type: str | None = None
    data: str | None = None
    content: "str | list[Given] | None" = None


class Citations(Struct):
    """Whether a document is to be cited."""

    enabled: bool | None = None


class Given(Struct):
    """One block of a message, of whatever type."""

    type: str
    text: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    citations: Citations | list[Json] | None = None
    id: str | None = None
    name: str | None = None
    input: Json | None = None
    tool_use_id: str | None = None
    content: "str | list[Given] | None" = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    tool_name: str | None = None
    cache_control: CacheControl | None = None


Content = str | list[Given]


def blocks(content: Content, field: str) -> Iterator[Block]:
    """Read a message's content.

    Raises:
        InvalidRequest: a block that Bedrock has no place for, or that would have to be fetched.
    """
    if isinstance(content, str):
        yield from spoken(content)
        return
    for number, block in enumerate(content):
        yield from _block(block, f"{field}.{number}")
        if block.cache_control is not None:
            yield block.cache_control.point


def texts(content: Content, field: str) -> Iterator[Text | CachePoint]:
    """Read content that may only be text: what the system says.

    Raises:
        InvalidRequest: it holds something else.
    """
    for block in blocks(content, field):
        if not isinstance(block, Text | CachePoint):
            raise wrong(field, "Only text may stand here.")
        yield block


def _block(block: Given, field: str) -> Iterator[Block]:
    match block.type:
        case "tool_use":
            call_id, name = _required(block.id, f"{field}.id"), _required(block.name, f"{field}.name")
            yield ToolUse(call_id, name, block.input or {})
        case "tool_result":
            parts = tuple(_parts(block.content or "", f"{field}.content"))
            yield ToolResult(_required(block.tool_use_id, f"{field}.tool_use_id"), parts, bool(block.is_error))
        case "thinking":
            yield ReasoningBlock(text=_required(block.thinking, f"{field}.thinking"), signature=block.signature or None)
        case "redacted_thinking":
            yield ReasoningBlock(redacted=_required(block.data, f"{field}.data"))
        case _:
            yield from _part(block, field)


def _parts(content: Content, field: str) -> Iterator[Text | Image | Document]:
    """Read what may stand in a tool's result."""
    if isinstance(content, str):
        yield from spoken(content)
        return
    for number, block in enumerate(content):
        yield from _part(block, f"{field}.{number}")


def _part(block: Given, field: str) -> Iterator[Text | Image | Document]:
    match block.type:
        case "text":
            yield from spoken(_required(block.text, f"{field}.text"))
        case "image":
            yield _image(block, field)
        case "document":
            yield _document(block, field)
        case "search_result":
            yield _search_result(block, field)
        case "tool_reference":
            yield Text(_required(block.tool_name, f"{field}.tool_name"))
        case _:
            raise wrong(f"{field}.type", "Bedrock has no place for a block of this type.")


def _image(block: Given, field: str) -> Image:
    source = _source(block, field)
    if source.type != "base64":
        raise _elsewhere(field)
    media_type = _required(source.media_type, f"{field}.source.media_type")
    at = f"{field}.source.data"
    return media.checked(Image(media.known(media_type), media.base64(_required(source.data, at), at)), at)


def _document(block: Given, field: str) -> Document:
    source, at = _source(block, field), f"{field}.source"
    match source.type:
        case "base64":
            media_type = source.media_type or "application/pdf"
            encoded = media.base64(_required(source.data, f"{at}.data"), f"{at}.data")
        case "text":
            media_type, encoded = "text/plain", _encoded(_required(source.data, f"{at}.data"), f"{at}.data")
        case "content":
            media_type, encoded = "text/plain", _encoded(_text(source.content, f"{at}.content"), f"{at}.content")
        case _:
            raise _elsewhere(field)
    cited = isinstance(block.citations, Citations) and bool(block.citations.enabled)
    return Document(media_type, encoded, media.document_name(block.title), block.context or None, cited)


def _search_result(block: Given, field: str) -> Text:
    """Read a search result of the caller's own: Bedrock's models read it as text."""
    said = _text(block.content, f"{field}.content")
    source = block.source if isinstance(block.source, str) else ""
    return Text("\n".join(line for line in (block.title, source, said) if line) or "(empty)")


def _source(block: Given, field: str) -> Source:
    if not isinstance(block.source, Source):
        raise wrong(f"{field}.source", "This must be an object with a type.")
    return block.source


def _elsewhere(field: str) -> InvalidRequest:
    return wrong(f"{field}.source.type", "The data itself must be sent, as base64; nothing is fetched from elsewhere.")


def _text(content: Content | None, field: str) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(part.text for part in _parts(content or [], field) if isinstance(part, Text))


def _encoded(text: str, field: str) -> str:
    if not text.strip():
        raise wrong(field, "This is empty.")
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def _required(value: str | None, field: str) -> str:
    if value is None:
        raise wrong(field, "This field is required.")
    return value
