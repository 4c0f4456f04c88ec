# ruff: noqa: D101  the names are the service's own, and say what the structures are
"""The request of Converse and ConverseStream, as botocore 1.44.5's service model has it (2026-11).

"One of" is a struct of which exactly one member is set; `rules` sees to that.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NonEmpty = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
CallId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.:-]+$")]


class Shape(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A structure of the service model."""


class S3Location(Shape, frozen=True):
    uri: Annotated[str, Meta(min_length=1, max_length=1024)]
    bucket_owner: str | None = None


class DocumentContent(Shape, frozen=True):
    text: str


class Source(Shape, frozen=True):
    bytes: NonEmpty | None = None
    s3_location: S3Location | None = None
    text: str | None = None
    content: list[DocumentContent] | None = None


class Image(Shape, frozen=True):
    format: Literal["png", "jpeg", "gif", "webp"]
    source: Source


class CitationsConfig(Shape, frozen=True):
    enabled: bool


class Document(Shape, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    source: Source
    format: Literal["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"] = "txt"
    context: str | None = None
    citations: CitationsConfig | None = None


class Video(Shape, frozen=True):
    format: Literal["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"]
    source: Source


class Audio(Shape, frozen=True):
    format: str
    source: Source


class ToolUse(Shape, frozen=True):
    tool_use_id: CallId
    name: Name
    input: Any
    type: str | None = None


class SearchResultContent(Shape, frozen=True):
    text: str


class SearchResult(Shape, frozen=True):
    source: str
    title: str
    content: list[SearchResultContent]
    citations: CitationsConfig | None = None


class ToolResultContent(Shape, frozen=True):
    json: Any = None
    text: str | None = None
    image: Image | None = None
    document: Document | None = None
    video: Video | None = None
    search_result: SearchResult | None = None


class ToolResult(Shape, frozen=True):
    tool_use_id: CallId
    content: list[ToolResultContent]
    status: Literal["success", "error"] | None = None
    type: str | None = None


class GuardText(Shape, frozen=True):
    text: str
    qualifiers: list[Literal["grounding_source", "query", "guard_content"]] = []


class GuardContent(Shape, frozen=True):
    text: GuardText | None = None
    image: Image | None = None


class CachePoint(Shape, frozen=True):
    type: Literal["default"]
    ttl: Literal["5m", "1h"] | None = None


class ReasoningText(Shape, frozen=True):
    text: str
    signature: str | None = None


class ReasoningContent(Shape, frozen=True):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class Citations(Shape, frozen=True):
    content: list[DocumentContent] = []
    citations: list[dict[str, Any]] = []


class ContentBlock(Shape, frozen=True):
    text: str | None = None
    image: Image | None = None
    document: Document | None = None
    video: Video | None = None
    audio: Audio | None = None
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    guard_content: GuardContent | None = None
    cache_point: CachePoint | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: Citations | None = None
    search_result: SearchResult | None = None
    tool_addition: dict[str, Any] | None = None
    tool_removal: dict[str, Any] | None = None


class Message(Shape, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: list[ContentBlock]


class SystemContent(Shape, frozen=True):
    text: NonEmpty | None = None
    guard_content: GuardContent | None = None
    cache_point: CachePoint | None = None


class InferenceConfig(Shape, frozen=True):
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: Annotated[list[NonEmpty], Meta(max_length=2500)] = []


class InputSchema(Shape, frozen=True):
    json: Any


class ToolSpec(Shape, frozen=True):
    name: Name
    input_schema: InputSchema
    description: NonEmpty | None = None
    strict: bool | None = None


class SystemTool(Shape, frozen=True):
    name: Name


class Tool(Shape, frozen=True):
    tool_spec: ToolSpec | None = None
    system_tool: SystemTool | None = None
    cache_point: CachePoint | None = None


class NamedTool(Shape, frozen=True):
    name: Name


class ToolChoice(Shape, frozen=True):
    auto: dict[str, Any] | None = None
    any: dict[str, Any] | None = None
    tool: NamedTool | None = None


class ToolConfig(Shape, frozen=True):
    tools: Annotated[list[Tool], Meta(min_length=1)]
    tool_choice: ToolChoice | None = None


class GuardrailConfig(Shape, frozen=True):
    guardrail_identifier: Annotated[str, Meta(max_length=2048)] = ""
    guardrail_version: str = ""
    trace: Literal["enabled", "disabled", "enabled_full"] = "disabled"
    stream_processing_mode: Literal["sync", "async"] | None = None


class PerformanceConfig(Shape, frozen=True):
    latency: Literal["standard", "optimized"] = "standard"


class ServiceTier(Shape, frozen=True):
    type: Literal["priority", "default", "flex", "reserved"]


class JsonSchema(Shape, frozen=True):
    schema: str
    name: str | None = None
    description: str | None = None


class OutputStructure(Shape, frozen=True):
    json_schema: JsonSchema


class OutputFormat(Shape, frozen=True):
    type: Literal["json_schema"]
    structure: OutputStructure


class OutputConfig(Shape, frozen=True):
    text_format: OutputFormat | None = None
    effort: Annotated[str, Meta(max_length=16)] | None = None


class ConverseRequest(Shape, frozen=True):
    """The body; `modelId` is in the path."""

    messages: list[Message] = []
    system: list[SystemContent] = []
    inference_config: InferenceConfig = InferenceConfig()
    tool_config: ToolConfig | None = None
    guardrail_config: GuardrailConfig | None = None
    additional_model_request_fields: Any = None
    prompt_variables: dict[str, Any] = {}
    additional_model_response_field_paths: Annotated[list[NonEmpty], Meta(max_length=10)] = []
    request_metadata: Annotated[dict[str, Annotated[str, Meta(max_length=256)]], Meta(max_length=16)] = {}
    performance_config: PerformanceConfig | None = None
    service_tier: ServiceTier | None = None
    output_config: OutputConfig | None = None
