"""Responses as OpenAPI describes it: the response object, and each event of a stream."""

from typing import Any, Literal

from service.dialects.shapes import WireShape

Json = dict[str, Any]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class ResponseTextPart(WireShape):
    """A message's text."""

    type: Literal["output_text"]
    text: str
    annotations: list[Json]
    logprobs: list[Json]


class ResponseThoughtPart(WireShape):
    """A piece of reasoning: `summary_text` where a summary was asked for."""

    type: Literal["reasoning_text", "summary_text"]
    text: str


class ResponseMessageItem(WireShape):
    """What the model says."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["assistant"]
    content: list[ResponseTextPart]


class ResponseCallItem(WireShape):
    """A call; `arguments` is JSON text."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class ResponseReasoningItem(WireShape):
    """Reasoning; `encrypted_content` is what has to come back unchanged."""

    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: list[ResponseThoughtPart]
    content: list[ResponseThoughtPart] | None = None
    encrypted_content: str | None = None


ResponseItem = ResponseMessageItem | ResponseCallItem | ResponseReasoningItem


class ResponseFailure(WireShape):
    """Why a response failed: `code` is OpenAI's, `type` ours."""

    code: str
    message: str
    type: str


class ResponseIncomplete(WireShape):
    """Why a response is incomplete."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseInputDetails(WireShape):
    """Of the input's tokens."""

    cached_tokens: int
    cache_write_tokens: int


class ResponseOutputDetails(WireShape):
    """Of the output's tokens."""

    reasoning_tokens: int


class ResponseUsage(WireShape):
    """Tokens; `input_tokens` includes what was cached."""

    input_tokens: int
    input_tokens_details: ResponseInputDetails
    output_tokens: int
    output_tokens_details: ResponseOutputDetails
    total_tokens: int


class ResponseObject(WireShape):
    """A response, in whatever state."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    error: ResponseFailure | None
    incomplete_details: ResponseIncomplete | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: Json
    model: str
    output: list[ResponseItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: Json | None
    store: bool
    temperature: float | None
    text: Json
    tool_choice: str | Json
    tools: list[Json]
    top_p: float | None
    truncation: Literal["disabled"]
    usage: ResponseUsage | None


class ResponseDeleted(WireShape):
    """A response that is deleted."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ResponseInputItems(WireShape):
    """A page of what a response was asked with."""

    object: Literal["list"]
    data: list[Json]
    first_id: str | None
    last_id: str | None
    has_more: bool


class _Numbered(WireShape):
    sequence_number: int


class ResponseStateEvent(_Numbered):
    """How far the response is; the last three end the stream."""

    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"
    ]
    response: ResponseObject


class ResponseItemEvent(_Numbered):
    """An item begins or is over."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: ResponseItem


class _InItem(_Numbered):
    item_id: str
    output_index: int


class ResponsePartEvent(_InItem):
    """A part of a message or of reasoning begins or is over."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    content_index: Literal[0]
    part: ResponseTextPart | ResponseThoughtPart


class ResponseTextDelta(_InItem):
    """A piece of the text."""

    type: Literal["response.output_text.delta"]
    content_index: Literal[0]
    delta: str
    logprobs: list[Json]


class ResponseTextDone(_InItem):
    """The text."""

    type: Literal["response.output_text.done"]
    content_index: Literal[0]
    text: str
    logprobs: list[Json]


class ResponseAnnotationEvent(_InItem):
    """A citation of an address on the web."""

    type: Literal["response.output_text.annotation.added"]
    content_index: Literal[0]
    annotation_index: int
    annotation: Json


class ResponseReasoningDelta(_InItem):
    """A piece of reasoning."""

    type: Literal["response.reasoning_text.delta"]
    content_index: Literal[0]
    delta: str


class ResponseReasoningDone(_InItem):
    """The reasoning."""

    type: Literal["response.reasoning_text.done"]
    content_index: Literal[0]
    text: str


class ResponseSummaryPartEvent(_InItem):
    """A summary of reasoning begins or is over."""

    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    summary_index: Literal[0]
    part: ResponseThoughtPart


class ResponseSummaryDelta(_InItem):
    """A piece of the summary."""

    type: Literal["response.reasoning_summary_text.delta"]
    summary_index: Literal[0]
    delta: str


class ResponseSummaryDone(_InItem):
    """The summary."""

    type: Literal["response.reasoning_summary_text.done"]
    summary_index: Literal[0]
    text: str


class ResponseArgumentsDelta(_InItem):
    """A piece of a call's arguments."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str


class ResponseArgumentsDone(_InItem):
    """A call's arguments."""

    type: Literal["response.function_call_arguments.done"]
    name: str
    arguments: str


EVENTS: tuple[type[WireShape], ...] = (
    ResponseStateEvent,
    ResponseItemEvent,
    ResponsePartEvent,
    ResponseTextDelta,
    ResponseTextDone,
    ResponseAnnotationEvent,
    ResponseReasoningDelta,
    ResponseReasoningDone,
    ResponseSummaryPartEvent,
    ResponseSummaryDelta,
    ResponseSummaryDone,
    ResponseArgumentsDelta,
    ResponseArgumentsDone,
)
"""What the events of a stream carry; each is named as its `type`."""
