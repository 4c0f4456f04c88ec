# ruff: noqa: D101  the names are the service's own, and say what the structures are
"""The body of Claude's messages, as Anthropic documents it and Bedrock takes it (2026-11)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from service.local.converse.shapes import Name

NonEmpty = Annotated[str, Meta(min_length=1)]


class _Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """An object without a type."""


class CacheControl(_Plain, frozen=True):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Cites(_Plain, frozen=True):
    enabled: bool


class _Block(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """A content block. Any but reasoning may end a part to be cached."""

    cache_control: CacheControl | None = None


class TextBlock(_Block, frozen=True, tag="text"):
    text: str
    citations: list[dict[str, Any]] | None = None


class Base64(_Block, frozen=True, tag="base64"):
    media_type: str
    data: NonEmpty


class PlainText(_Block, frozen=True, tag="text"):
    media_type: Literal["text/plain"]
    data: str


class Parts(_Block, frozen=True, tag="content"):
    content: str | list[TextBlock]


class ImageBlock(_Block, frozen=True, tag="image"):
    source: Base64


class DocumentBlock(_Block, frozen=True, tag="document"):
    source: Base64 | PlainText | Parts
    title: str | None = None
    context: str | None = None
    citations: Cites | None = None


class ToolUseBlock(_Block, frozen=True, tag="tool_use"):
    id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: NonEmpty
    input: dict[str, Any]


class ToolResultBlock(_Block, frozen=True, tag="tool_result"):
    tool_use_id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: str | list[TextBlock | ImageBlock | DocumentBlock] = ""
    is_error: bool = False


class ThinkingBlock(_Block, frozen=True, tag="thinking"):
    thinking: str
    signature: str


class RedactedBlock(_Block, frozen=True, tag="redacted_thinking"):
    data: str


Content = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedBlock


class Message(_Plain, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Content]


class Tool(_Plain, frozen=True):
    name: Name
    input_schema: dict[str, Any]
    description: str = ""
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    input_examples: list[dict[str, Any]] | None = None
    eager_input_streaming: bool | None = None


class ToolChoice(_Plain, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class JsonFormat(_Plain, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(_Plain, frozen=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(_Plain, frozen=True):
    user_id: str | None = None


class Body(_Plain, frozen=True):
    """What stands in an InvokeModel body for Claude; `model` and `stream` do not (reported: extra inputs)."""

    anthropic_version: Literal["bedrock-2023-05-31", "2026-10-21"]
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[TextBlock] = ""
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    thinking: dict[str, Any] | None = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None
    anthropic_beta: list[str] = []
    context_management: dict[str, Any] | None = None
