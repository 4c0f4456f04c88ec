"""Amazon Nova: Converse's format, except that each piece of text is a block (recorded)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from service.local import shapes
from service.local.answer import Block, End, Piece
from service.local.converse import request as converse
from service.local.converse import rules
from service.local.converse.answer import write_delta
from service.local.converse.shapes import (
    ConverseInferenceConfig,
    ConverseMessage,
    ConverseRequest,
    ConverseShape,
    ConverseSystemContent,
    ConverseToolConfig,
    NonEmpty,
)
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.reasoning_config import check_nova_reasoning
from service.local.text import tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

UNKNOWN_CHUNK = LocalFrame({"contentBlockDelta": {"delta": {"hologram": {"depth": 3}}, "contentBlockIndex": 0}})


class NovaInferenceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The sampling parameters, by their old and new names."""

    new_tokens: Annotated[int, Meta(ge=1)] | None = field(default=None, name="maxTokens")
    old_tokens: Annotated[int, Meta(ge=1)] | None = field(default=None, name="max_new_tokens")
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = field(default=None, name="topP")
    old_top_p: Annotated[float, Meta(ge=0, le=1)] | None = field(default=None, name="top_p")
    top_k: Annotated[int, Meta(ge=0)] | None = field(default=None, name="topK")
    old_top_k: Annotated[int, Meta(ge=0)] | None = field(default=None, name="top_k")
    stop_sequences: list[NonEmpty] = field(default_factory=list, name="stopSequences")

    @property
    def max_tokens(self) -> int | None:
        """The limit of the answer, by either name."""
        return self.new_tokens or self.old_tokens


class NovaBody(ConverseShape, frozen=True):
    """The body of InvokeModel."""

    messages: Annotated[list[ConverseMessage], Meta(min_length=1)]
    schema_version: Literal["messages-v1"] | None = None
    system: list[ConverseSystemContent] = field(default_factory=list)
    inference_config: NovaInferenceConfig = field(default_factory=NovaInferenceConfig)
    tool_config: ConverseToolConfig | None = None
    reasoning_config: dict[str, Any] | None = None


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, NovaBody, shapes.format_schema_error)
    config = body.inference_config
    converse_request = ConverseRequest(
        messages=body.messages,
        system=body.system,
        inference_config=ConverseInferenceConfig(
            config.max_tokens, config.temperature, config.top_p, config.stop_sequences
        ),
        tool_config=body.tool_config,
    )
    rules.check(converse_request, request.model, streaming=request.streaming, api="invoke")
    limited = any(value is not None for value in (config.max_tokens, config.temperature, config.top_p))
    prompt = structs.replace(
        converse.build_prompt(converse_request, request.model),
        reasoning=check_nova_reasoning(body.reasoning_config, request.model, limited=limited),
        guardrail=request.guardrail,
    )
    return common.make_plan(
        request, prompt, Chunking(1, 4, whole_calls=True), lambda _: NovaChunks(), unknown_frame=UNKNOWN_CHUNK
    )


class NovaChunks:
    """Writes the chunks, each an object with one member."""

    def __init__(self) -> None:
        self._index = 0

    def begin(self) -> list[LocalFrame]:
        """Write the start of the message."""
        return [LocalFrame({"messageStart": {"role": "assistant"}}, "open")]

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece as a block; after a tool call one index is omitted (recorded: 2, then 4)."""
        block = piece.block
        if not piece.text and block.kind != "call":
            return []
        frames = []
        if block.kind == "call":
            start = {"toolUse": {"toolUseId": block.id, "name": block.name}}
            frames.append(LocalFrame({"contentBlockStart": {"start": start, "contentBlockIndex": self._index}}))
        delta = {"delta": write_delta(block, piece.text), "contentBlockIndex": self._index}
        frames.append(LocalFrame({"contentBlockDelta": delta}, "delta"))
        frames.append(LocalFrame({"contentBlockStop": {"contentBlockIndex": self._index}}))
        self._index += 2 if block.kind == "call" else 1
        return frames

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason, and the usage without a total."""
        usage = {key: value for key, value in _usage(end).items() if key != "totalTokens"}
        stop = "end_turn" if end.stop == "guardrail_intervened" else end.stop
        return [
            LocalFrame({"messageStop": {"stopReason": stop}}, "stop"),
            LocalFrame({"metadata": {"usage": usage, "metrics": {}, "trace": {}}}, "last"),
        ]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        return {
            "output": {"message": {"content": [_content(block) for block in blocks], "role": "assistant"}},
            "stopReason": "end_turn" if end.stop == "guardrail_intervened" else end.stop,
            "usage": _usage(end),
        }


def _content(block: Block) -> Json:
    match block.kind:
        case "call":
            return {
                "toolUse": {"name": block.name, "toolUseId": block.id, "input": tool_choice.parse_arguments(block.text)}
            }
        case "thinking":
            return {"reasoningContent": {"reasoningText": {"text": block.text}}}
        case _:
            return {"text": block.text}


def _usage(end: End) -> Json:
    return {
        "inputTokens": end.usage.input,
        "outputTokens": end.usage.output,
        "totalTokens": end.usage.total,
        "cacheReadInputTokenCount": end.usage.cache_read,
        "cacheWriteInputTokenCount": end.usage.cache_write,
    }
