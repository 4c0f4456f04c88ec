# ruff: noqa: D101  the names are those of Anthropic's API reference
"""The body of Claude's Messages, as Anthropic documents it and Bedrock accepts it (2026-11)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from service.local.converse.shapes import Name

NonEmpty = Annotated[str, Meta(min_length=1)]


class _ClaudeObject(Struct, frozen=True, forbid_unknown_fields=True):
    """An object without a type."""


class ClaudeCacheControl(_ClaudeObject, frozen=True):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class ClaudeCitations(_ClaudeObject, frozen=True):
    enabled: bool


class _ClaudeBlock(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """A content block. Every block except reasoning can be a cache point."""

    cache_control: ClaudeCacheControl | None = None


class ClaudeTextBlock(_ClaudeBlock, frozen=True, tag="text"):
    text: str
    citations: list[dict[str, Any]] | None = None


class ClaudeBase64Source(_ClaudeBlock, frozen=True, tag="base64"):
    media_type: str
    data: NonEmpty


class ClaudeTextSource(_ClaudeBlock, frozen=True, tag="text"):
    media_type: Literal["text/plain"]
    data: str


class ClaudeBlocksSource(_ClaudeBlock, frozen=True, tag="content"):
    content: str | list[ClaudeTextBlock]


class ClaudeImageBlock(_ClaudeBlock, frozen=True, tag="image"):
    source: ClaudeBase64Source


class ClaudeDocumentBlock(_ClaudeBlock, frozen=True, tag="document"):
    source: ClaudeBase64Source | ClaudeTextSource | ClaudeBlocksSource
    title: str | None = None
    context: str | None = None
    citations: ClaudeCitations | None = None


class ClaudeToolUseBlock(_ClaudeBlock, frozen=True, tag="tool_use"):
    id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: NonEmpty
    input: dict[str, Any]


class ClaudeToolResultBlock(_ClaudeBlock, frozen=True, tag="tool_result"):
    tool_use_id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: str | list[ClaudeTextBlock | ClaudeImageBlock | ClaudeDocumentBlock] = ""
    is_error: bool = False


class ClaudeThinkingBlock(_ClaudeBlock, frozen=True, tag="thinking"):
    thinking: str
    signature: str


class ClaudeRedactedBlock(_ClaudeBlock, frozen=True, tag="redacted_thinking"):
    data: str


Content = (
    ClaudeTextBlock
    | ClaudeImageBlock
    | ClaudeDocumentBlock
    | ClaudeToolUseBlock
    | ClaudeToolResultBlock
    | ClaudeThinkingBlock
    | ClaudeRedactedBlock
)


class ClaudeMessage(_ClaudeObject, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Content]


class ClaudeTool(_ClaudeObject, frozen=True):
    name: Name
    input_schema: dict[str, Any]
    description: str = ""
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: ClaudeCacheControl | None = None
    input_examples: list[dict[str, Any]] | None = None
    eager_input_streaming: bool | None = None


class ClaudeToolChoice(_ClaudeObject, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class ClaudeJsonFormat(_ClaudeObject, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class ClaudeOutputConfig(_ClaudeObject, frozen=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: ClaudeJsonFormat | None = None


class ClaudeMetadata(_ClaudeObject, frozen=True):
    user_id: str | None = None


class ClaudeBody(_ClaudeObject, frozen=True):
    """The body of InvokeModel for Claude; Bedrock rejects `model` and `stream` in it (reported: extra inputs)."""

    anthropic_version: Literal["bedrock-2023-05-31", "2026-10-21"]
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[ClaudeMessage], Meta(min_length=1)]
    system: str | list[ClaudeTextBlock] = ""
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] = []
    tools: list[ClaudeTool] = []
    tool_choice: ClaudeToolChoice | None = None
    thinking: dict[str, Any] | None = None
    output_config: ClaudeOutputConfig | None = None
    metadata: ClaudeMetadata | None = None
    anthropic_beta: list[str] = []
    context_management: dict[str, Any] | None = None
