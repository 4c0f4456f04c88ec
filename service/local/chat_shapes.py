# ruff: noqa: D101  the names are those of OpenAI's API reference
"""The body of OpenAI's chat, which gpt-oss, GPT, Jamba, Mistral and other open models accept on InvokeModel."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NonEmpty = Annotated[str, Meta(min_length=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class _OpenAIObject(Struct, frozen=True, forbid_unknown_fields=True):
    """An object without a type."""


class OpenAIImageUrl(_OpenAIObject, frozen=True):
    url: NonEmpty
    detail: Literal["auto", "low", "high"] | None = None


class _OpenAIPart(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """A part of a message's content."""


class OpenAITextPart(_OpenAIPart, frozen=True, tag="text"):
    text: str


class OpenAIImagePart(_OpenAIPart, frozen=True, tag="image_url"):
    image_url: OpenAIImageUrl | str


class OpenAIRefusalPart(_OpenAIPart, frozen=True, tag="refusal"):
    refusal: str


Part = OpenAITextPart | OpenAIImagePart | OpenAIRefusalPart


class OpenAICalledFunction(_OpenAIObject, frozen=True):
    name: NonEmpty
    arguments: str


class OpenAIToolCall(_OpenAIObject, frozen=True):
    id: NonEmpty
    function: OpenAICalledFunction
    type: Literal["function"] = "function"
    index: int | None = None


class OpenAIMessage(_OpenAIObject, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[OpenAIToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class OpenAIFunction(_OpenAIObject, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class OpenAITool(_OpenAIObject, frozen=True):
    type: Literal["function"]
    function: OpenAIFunction


class OpenAINamedFunction(_OpenAIObject, frozen=True):
    name: NonEmpty


class OpenAINamedTool(_OpenAIObject, frozen=True):
    type: Literal["function"]
    function: OpenAINamedFunction


class OpenAIStreamOptions(_OpenAIObject, frozen=True):
    include_usage: bool = False


class OpenAINamedSchema(_OpenAIObject, frozen=True):
    name: NonEmpty
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class OpenAIResponseFormat(_OpenAIObject, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: OpenAINamedSchema | None = None


class OpenAIEffort(_OpenAIObject, frozen=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class OpenAIBody(_OpenAIObject, frozen=True):
    """The union of the members that these models accept; `families.chat_request` checks them for each model."""

    messages: Annotated[list[OpenAIMessage], Meta(min_length=1)]
    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Probability | None = None
    top_k: int | None = None
    n: Annotated[int, Meta(ge=1, le=16)] = 1
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: OpenAIStreamOptions | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    tools: list[OpenAITool] = []
    tool_choice: Literal["auto", "none", "any", "required"] | OpenAINamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: OpenAIResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: OpenAIEffort | None = None
    reasoning_config: str | None = None
    documents: list[dict[str, Any]] | None = None
    safety_identifier: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
