"""Messages as OpenAPI describes it: the message, and each event of a stream."""

from typing import Any, Literal

from service.dialects.shapes import WireShape

Json = dict[str, Any]
StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
]


class AnthropicErrorDetails(WireShape):
    """What went wrong; `details.error_code` where the clients act upon one."""

    type: str
    message: str
    details: Json | None = None


class AnthropicError(WireShape):
    """An error of Anthropic's surface: a body, or the event `error`."""

    type: Literal["error"]
    error: AnthropicErrorDetails
    request_id: str | None = None


class MessageTextBlock(WireShape):
    """A text."""

    type: Literal["text"]
    text: str
    citations: list[Json] | None = None


class MessageThinkingBlock(WireShape):
    """Thinking, and the signature with which it has to come back."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class MessageRedactedBlock(WireShape):
    """Thinking that nobody may read."""

    type: Literal["redacted_thinking"]
    data: str


class MessageCallBlock(WireShape):
    """A call of a tool."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: Json


MessageBlock = MessageTextBlock | MessageThinkingBlock | MessageRedactedBlock | MessageCallBlock


class MessageOutputDetails(WireShape):
    """Of the output's tokens."""

    thinking_tokens: int


class MessageUsage(WireShape):
    """Tokens; `input_tokens` excludes what was cached. Null: nobody reported it."""

    input_tokens: int | None
    cache_creation_input_tokens: int | None
    cache_read_input_tokens: int | None
    output_tokens: int
    output_tokens_details: MessageOutputDetails | None = None


class MessageObject(WireShape):
    """The answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[MessageBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage


class MessageTokensCount(WireShape):
    """What a request would cost to read. `estimated`: the model cannot count, and we have guessed."""

    input_tokens: int
    estimated: Literal[True] | None = None


class MessageStart(WireShape):
    """The message begins; its usage is told at its end."""

    type: Literal["message_start"]
    message: MessageObject


class MessageBlockStart(WireShape):
    """A block begins."""

    type: Literal["content_block_start"]
    index: int
    content_block: MessageBlock


class MessageTextDelta(WireShape):
    """A piece of a text."""

    type: Literal["text_delta"]
    text: str


class MessageArgumentsDelta(WireShape):
    """A piece of a call's input, as JSON text."""

    type: Literal["input_json_delta"]
    partial_json: str


class MessageThinkingDelta(WireShape):
    """A piece of thinking."""

    type: Literal["thinking_delta"]
    thinking: str


class MessageSignatureDelta(WireShape):
    """The signature of the thinking."""

    type: Literal["signature_delta"]
    signature: str


class MessageCitationDelta(WireShape):
    """A citation."""

    type: Literal["citations_delta"]
    citation: Json


class MessageBlockDelta(WireShape):
    """A piece of a block."""

    type: Literal["content_block_delta"]
    index: int
    delta: (
        MessageTextDelta | MessageArgumentsDelta | MessageThinkingDelta | MessageSignatureDelta | MessageCitationDelta
    )


class MessageBlockStop(WireShape):
    """A block is over."""

    type: Literal["content_block_stop"]
    index: int


class MessageEnd(WireShape):
    """Why the model stopped."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(WireShape):
    """The end of the message, with its usage."""

    type: Literal["message_delta"]
    delta: MessageEnd
    usage: MessageUsage


class MessageStop(WireShape):
    """The stream is over."""

    type: Literal["message_stop"]


class MessagePing(WireShape):
    """A heartbeat."""

    type: Literal["ping"]


EVENTS: tuple[tuple[str, type[WireShape]], ...] = (
    ("message_start", MessageStart),
    ("content_block_start", MessageBlockStart),
    ("content_block_delta", MessageBlockDelta),
    ("content_block_stop", MessageBlockStop),
    ("message_delta", MessageDelta),
    ("message_stop", MessageStop),
    ("ping", MessagePing),
    ("error", AnthropicError),
)
"""What each named event of a stream carries."""
