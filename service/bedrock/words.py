"""Words of our request in Bedrock's: formats of media, names of documents, tools of a history, refusals by place."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import structs

from service.errors import FieldError, InvalidRequest
from service.generation import Block, CachePoint, Document, Image, Request, Text, Tool, ToolChoice, ToolResult, ToolUse

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}


def no_words(field: str, sentence: str) -> InvalidRequest:
    """Refuse one field in the model's name."""
    return InvalidRequest(f"{field}: {sentence}", [FieldError(field, sentence)])


def image_format(image: Image, field: str) -> str:
    """Bedrock's word for an image's format."""
    if image.media_type not in IMAGES:
        raise no_words(field, f"media_type: images are {', '.join(sorted(set(IMAGES.values())))}")
    return IMAGES[image.media_type]


def document_format(document: Document, field: str) -> str:
    """Bedrock's word for a document's format."""
    media_type = document.media_type.split(";")[0].strip()
    if media_type not in DOCUMENTS:
        raise no_words(field, f"media_type: documents are {', '.join(DOCUMENTS.values())}")
    return DOCUMENTS[media_type]


def document_name(name: str, taken: dict[str, int]) -> str:
    """Reduce a name to what Bedrock takes (letters, digits, single spaces, hyphens, brackets), different from others.

    A name is read by the model, so Bedrock keeps it plain. `taken` counts how often each name was wished for.
    """
    plain = re.sub(r"\s+", " ", re.sub(r"[^A-Za-z0-9\s\-()\[\]]", " ", name)).strip()[:190] or "document"
    unique, number = plain, taken.get(plain, 0)
    while unique in taken:
        number += 1
        unique = f"{plain} {number}"
    taken[plain] = max(1, number)
    taken.setdefault(unique, 1)
    return unique


def offered(request: Request) -> list[Tool]:
    """The tools a request offers, without the cache points between them."""
    return [tool for tool in request.tools if isinstance(tool, Tool)]


def remembered(request: Request) -> list[Tool]:
    """Tools that the history calls and the request no longer offers, as far as their calls tell what they were.

    Bedrock refuses a history of calls without their tools ("toolConfig field must be defined").
    """
    names = {
        block.name: None for message in request.messages for block in message.content if isinstance(block, ToolUse)
    }
    if not names and any(isinstance(block, ToolResult) for message in request.messages for block in message.content):
        names = {"tool": None}
    return [Tool(name, {"type": "object"}) for name in names]


def uses_tools(request: Request) -> bool:
    """Whether a request offers tools, or its history holds calls of some."""
    return bool(offered(request)) or any(isinstance(block, ToolUse | ToolResult) for _, block in placed(request))


def choice_of(request: Request) -> ToolChoice | None:
    """The tool choice that holds: `none` where tools are only remembered."""
    return request.tool_choice if offered(request) else ToolChoice("none")


def object_schema(tool: Tool) -> dict[str, Any]:
    """A tool's schema with the object at its root that Bedrock insists on."""
    return {**tool.input_schema, "type": "object"}


def placed(request: Request) -> Iterator[tuple[str, Block]]:
    """Every block of the history with its place, `messages.0.content.1`."""
    for number, message in enumerate(request.messages):
        for place, block in enumerate(message.content):
            yield f"messages.{number}.content.{place}", block


def result_text(result: ToolResult, field: str) -> str:
    """A tool's result as text, for families that know no other.

    Raises:
        InvalidRequest: it holds an image or a document.
    """
    for block in result.content:
        if not isinstance(block, Text):
            raise no_words(field, "this model takes nothing but text as a tool's result")
    return "\n".join(block.text for block in result.content if isinstance(block, Text))


def without_cache_points(request: Request) -> Request:
    """Take the cache points out: they change what is paid, not what is answered."""
    messages = tuple(
        structs.replace(message, content=kept)
        for message in request.messages
        if (kept := tuple(block for block in message.content if not isinstance(block, CachePoint)))
    )
    return structs.replace(
        request,
        messages=messages,
        system=tuple(block for block in request.system if not isinstance(block, CachePoint)),
        tools=tuple(tool for tool in request.tools if not isinstance(tool, CachePoint)),
    )


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Merge two objects, member by member; where both say something else than an object, `other` holds."""
    result = dict(one)
    for name, value in other.items():
        mine = result.get(name)
        result[name] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result
