"""Chat Completions as OpenAPI describes it: the chunks of a stream, the whole answer, an error."""

from typing import Any, Literal

from service.dialects.shapes import WireShape

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class OpenAIErrorDetails(WireShape):
    """What went wrong; `code` is ours, and `param` the field, where it is one."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(WireShape):
    """An error of OpenAI's surfaces: a body, or the last chunk."""

    error: OpenAIErrorDetails


class ChatFunctionPiece(WireShape):
    """A piece of a call: its name comes first, then its arguments as pieces of JSON text."""

    name: str | None = None
    arguments: str


class ChatCallPiece(WireShape):
    """A piece of the call number `index`; the first has the rest."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: ChatFunctionPiece


class ChatDelta(WireShape):
    """What a chunk adds. `reasoning_content` and `reasoning_details` are not OpenAI's own."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[ChatCallPiece] | None = None
    annotations: list[dict[str, Any]] | None = None


class ChatChunkChoice(WireShape):
    """The one choice of a chunk."""

    index: Literal[0]
    delta: ChatDelta
    logprobs: None
    finish_reason: FinishReason | None


class ChatPromptDetails(WireShape):
    """Of the prompt's tokens."""

    cached_tokens: int | None
    cache_write_tokens: int | None


class ChatCompletionDetails(WireShape):
    """Of the answer's tokens."""

    reasoning_tokens: int | None


class ChatUsage(WireShape):
    """Tokens; `prompt_tokens` includes what was cached."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: ChatPromptDetails
    completion_tokens_details: ChatCompletionDetails


class ChatChunk(WireShape):
    """One event of a stream; the last one with `stream_options.include_usage` has no choice, but the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: ChatUsage | None = None


class ChatFunction(WireShape):
    """A call's function."""

    name: str
    arguments: str


class ChatCall(WireShape):
    """A call."""

    id: str
    type: Literal["function"]
    function: ChatFunction


class ChatMessage(WireShape):
    """The answer's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[ChatCall] | None = None
    annotations: list[dict[str, Any]] | None = None


class ChatChoice(WireShape):
    """The one choice."""

    index: Literal[0]
    message: ChatMessage
    logprobs: None
    finish_reason: FinishReason


class ChatCompletion(WireShape):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage | None


EVENTS: tuple[type[WireShape], ...] = (ChatChunk, OpenAIError)
"""What the unnamed events of a stream carry, before the `[DONE]`."""
