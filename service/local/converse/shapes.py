# ruff: noqa: D101  the names are those of the service model
"""The request of Converse and ConverseStream, from the service model of botocore 1.44.5 (2026-11).

A union is a struct of which exactly one member is set; `rules` checks that.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NonEmpty = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
CallId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.:-]+$")]


class ConverseShape(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A structure of the service model."""


class ConverseS3Location(ConverseShape, frozen=True):
    uri: Annotated[str, Meta(min_length=1, max_length=1024)]
    bucket_owner: str | None = None


class ConverseDocumentContent(ConverseShape, frozen=True):
    text: str


class ConverseSource(ConverseShape, frozen=True):
    bytes: NonEmpty | None = None
    s3_location: ConverseS3Location | None = None
    text: str | None = None
    content: list[ConverseDocumentContent] | None = None


class ConverseImage(ConverseShape, frozen=True):
    format: Literal["png", "jpeg", "gif", "webp"]
    source: ConverseSource


class ConverseCitationsConfig(ConverseShape, frozen=True):
    enabled: bool


class ConverseDocument(ConverseShape, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    source: ConverseSource
    format: Literal["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"] = "txt"
    context: str | None = None
    citations: ConverseCitationsConfig | None = None


class ConverseVideo(ConverseShape, frozen=True):
    format: Literal["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"]
    source: ConverseSource


class ConverseAudio(ConverseShape, frozen=True):
    format: str
    source: ConverseSource


class ConverseToolUse(ConverseShape, frozen=True):
    tool_use_id: CallId
    name: Name
    input: Any
    type: str | None = None


class ConverseSearchResultContent(ConverseShape, frozen=True):
    text: str


class ConverseSearchResult(ConverseShape, frozen=True):
    source: str
    title: str
    content: list[ConverseSearchResultContent]
    citations: ConverseCitationsConfig | None = None


class ConverseToolResultContent(ConverseShape, frozen=True):
    json: Any = None
    text: str | None = None
    image: ConverseImage | None = None
    document: ConverseDocument | None = None
    video: ConverseVideo | None = None
    search_result: ConverseSearchResult | None = None


class ConverseToolResult(ConverseShape, frozen=True):
    tool_use_id: CallId
    content: list[ConverseToolResultContent]
    status: Literal["success", "error"] | None = None
    type: str | None = None


class ConverseGuardText(ConverseShape, frozen=True):
    text: str
    qualifiers: list[Literal["grounding_source", "query", "guard_content"]] = []


class ConverseGuardContent(ConverseShape, frozen=True):
    text: ConverseGuardText | None = None
    image: ConverseImage | None = None


class ConverseCachePoint(ConverseShape, frozen=True):
    type: Literal["default"]
    ttl: Literal["5m", "1h"] | None = None


class ConverseReasoningText(ConverseShape, frozen=True):
    text: str
    signature: str | None = None


class ConverseReasoningContent(ConverseShape, frozen=True):
    reasoning_text: ConverseReasoningText | None = None
    redacted_content: str | None = None


class ConverseCitations(ConverseShape, frozen=True):
    content: list[ConverseDocumentContent] = []
    citations: list[dict[str, Any]] = []


class ConverseContentBlock(ConverseShape, frozen=True):
    text: str | None = None
    image: ConverseImage | None = None
    document: ConverseDocument | None = None
    video: ConverseVideo | None = None
    audio: ConverseAudio | None = None
    tool_use: ConverseToolUse | None = None
    tool_result: ConverseToolResult | None = None
    guard_content: ConverseGuardContent | None = None
    cache_point: ConverseCachePoint | None = None
    reasoning_content: ConverseReasoningContent | None = None
    citations_content: ConverseCitations | None = None
    search_result: ConverseSearchResult | None = None
    tool_addition: dict[str, Any] | None = None
    tool_removal: dict[str, Any] | None = None


class ConverseMessage(ConverseShape, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: list[ConverseContentBlock]


class ConverseSystemContent(ConverseShape, frozen=True):
    text: NonEmpty | None = None
    guard_content: ConverseGuardContent | None = None
    cache_point: ConverseCachePoint | None = None


class ConverseInferenceConfig(ConverseShape, frozen=True):
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: Annotated[list[NonEmpty], Meta(max_length=2500)] = []


class ConverseInputSchema(ConverseShape, frozen=True):
    json: Any


class ConverseToolSpec(ConverseShape, frozen=True):
    name: Name
    input_schema: ConverseInputSchema
    description: NonEmpty | None = None
    strict: bool | None = None


class ConverseSystemTool(ConverseShape, frozen=True):
    name: Name


class ConverseTool(ConverseShape, frozen=True):
    tool_spec: ConverseToolSpec | None = None
    system_tool: ConverseSystemTool | None = None
    cache_point: ConverseCachePoint | None = None


class ConverseNamedTool(ConverseShape, frozen=True):
    name: Name


class ConverseToolChoice(ConverseShape, frozen=True):
    auto: dict[str, Any] | None = None
    any: dict[str, Any] | None = None
    tool: ConverseNamedTool | None = None


class ConverseToolConfig(ConverseShape, frozen=True):
    tools: Annotated[list[ConverseTool], Meta(min_length=1)]
    tool_choice: ConverseToolChoice | None = None


class ConverseGuardrailConfig(ConverseShape, frozen=True):
    guardrail_identifier: Annotated[str, Meta(max_length=2048)] = ""
    guardrail_version: str = ""
    trace: Literal["enabled", "disabled", "enabled_full"] = "disabled"
    stream_processing_mode: Literal["sync", "async"] | None = None


class ConversePerformanceConfig(ConverseShape, frozen=True):
    latency: Literal["standard", "optimized"] = "standard"


class ConverseServiceTier(ConverseShape, frozen=True):
    type: Literal["priority", "default", "flex", "reserved"]


class ConverseJsonSchema(ConverseShape, frozen=True):
    schema: str
    name: str | None = None
    description: str | None = None


class ConverseOutputStructure(ConverseShape, frozen=True):
    json_schema: ConverseJsonSchema


class ConverseOutputFormat(ConverseShape, frozen=True):
    type: Literal["json_schema"]
    structure: ConverseOutputStructure


class ConverseOutputConfig(ConverseShape, frozen=True):
    text_format: ConverseOutputFormat | None = None
    effort: Annotated[str, Meta(max_length=16)] | None = None


class ConverseRequest(ConverseShape, frozen=True):
    """The body; `modelId` is in the path."""

    messages: list[ConverseMessage] = []
    system: list[ConverseSystemContent] = []
    inference_config: ConverseInferenceConfig = ConverseInferenceConfig()
    tool_config: ConverseToolConfig | None = None
    guardrail_config: ConverseGuardrailConfig | None = None
    additional_model_request_fields: Any = None
    prompt_variables: dict[str, Any] = {}
    additional_model_response_field_paths: Annotated[list[NonEmpty], Meta(max_length=10)] = []
    request_metadata: Annotated[dict[str, Annotated[str, Meta(max_length=256)]], Meta(max_length=16)] = {}
    performance_config: ConversePerformanceConfig | None = None
    service_tier: ConverseServiceTier | None = None
    output_config: ConverseOutputConfig | None = None
