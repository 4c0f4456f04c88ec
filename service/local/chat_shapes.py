# ruff: noqa: D101  the names are OpenAI's own, and say what the structures are
"""The body of OpenAI's chat, as gpt-oss, GPT, Jamba, Mistral and the other open models take it on InvokeModel."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NonEmpty = Annotated[str, Meta(min_length=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class _Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """An object without a type."""


class ImageUrl(_Plain, frozen=True):
    url: NonEmpty
    detail: Literal["auto", "low", "high"] | None = None


class _Part(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """A part of a message's content."""


class TextPart(_Part, frozen=True, tag="text"):
    text: str


class ImagePart(_Part, frozen=True, tag="image_url"):
    image_url: ImageUrl | str


class RefusalPart(_Part, frozen=True, tag="refusal"):
    refusal: str


Part = TextPart | ImagePart | RefusalPart


class CalledFunction(_Plain, frozen=True):
    name: NonEmpty
    arguments: str


class ToolCall(_Plain, frozen=True):
    id: NonEmpty
    function: CalledFunction
    type: Literal["function"] = "function"
    index: int | None = None


class Message(_Plain, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class Function(_Plain, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class Tool(_Plain, frozen=True):
    type: Literal["function"]
    function: Function


class NamedFunction(_Plain, frozen=True):
    name: NonEmpty


class NamedTool(_Plain, frozen=True):
    type: Literal["function"]
    function: NamedFunction


class StreamOptions(_Plain, frozen=True):
    include_usage: bool = False


class NamedSchema(_Plain, frozen=True):
    name: NonEmpty
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(_Plain, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class Effort(_Plain, frozen=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Body(_Plain, frozen=True):
    """Everything that some of these models take; `chat_rules` knows who refuses what."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Probability | None = None
    top_k: int | None = None
    n: Annotated[int, Meta(ge=1, le=16)] = 1
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    tools: list[Tool] = []
    tool_choice: Literal["auto", "none", "any", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: Effort | None = None
    reasoning_config: str | None = None
    documents: list[dict[str, Any]] | None = None
    safety_identifier: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
