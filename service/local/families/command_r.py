"""Cohere Command R and R+: a message with its history, and events with a type."""

import json
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, uuid5

from msgspec import Meta, Struct

from service.local import shapes
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.models import default_max_tokens
from service.local.plan import Plan
from service.local.prompt import LocalPrompt, Part, PromptText, PromptTool, PromptToolResult, PromptTurn
from service.local.refusal import LocalRefusal
from service.local.text import tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


class HistoryMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A message of the history."""

    role: Literal["USER", "CHATBOT", "SYSTEM", "TOOL"]
    message: str = ""
    tool_calls: list[dict[str, Any]] | None = None
    tool_results: list[dict[str, Any]] | None = None


class CohereParameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of a tool; its types have Python's names."""

    type: str
    description: str = ""
    required: bool = False


class CohereTool(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool."""

    name: Annotated[str, Meta(min_length=1)]
    description: str
    parameter_definitions: dict[str, CohereParameter] = {}


class CommandRBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of InvokeModel."""

    message: str
    chat_history: list[HistoryMessage] = []
    preamble: str | None = None
    documents: list[dict[str, Any]] = []
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    p: Annotated[float, Meta(ge=0.01, le=0.99)] | None = None
    k: Annotated[float, Meta(ge=0, le=500)] | None = None
    stop_sequences: list[str] = []
    tools: list[CohereTool] = []
    tool_results: list[dict[str, Any]] = []
    search_queries_only: bool = False
    prompt_truncation: Literal["OFF", "AUTO_PRESERVE_ORDER"] | None = None
    frequency_penalty: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: int | None = None
    return_prompt: bool = False
    raw_prompting: bool = False
    force_single_step: bool = False


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, CommandRBody, shapes.format_schema_error)
    ceiling = request.model.output_ceiling
    if body.max_tokens and ceiling and body.max_tokens > ceiling:
        raise LocalRefusal(shapes.format_schema_error("max_tokens", f"Expected `int` <= {ceiling}"))
    if not body.message.strip() and not body.tool_results:
        raise LocalRefusal("invalid request: message must be at least 1 token long or tool results must be specified.")
    prompt = _prompt(body, request)
    return common.make_plan(
        request,
        prompt,
        Chunking(1, 2, whole_calls=True),
        lambda _: CommandRChunks(body),
        id_prefix="call_",
        unknown_frame=LocalFrame({"is_finished": False, "event_type": "hologram-generation", "depth": 3}),
    )


def _prompt(body: CommandRBody, request: InvokeRequest) -> LocalPrompt:
    history = [
        PromptTurn("assistant" if message.role == "CHATBOT" else "user", (PromptText(message.message),))
        for message in body.chat_history
    ]
    parts: list[Part] = [PromptText(body.message)] if body.message else []
    for result in body.tool_results:
        outputs = result.get("outputs") or [{}]
        parts.append(PromptToolResult("", json.dumps(outputs[0])))
    return LocalPrompt(
        model=request.model,
        turns=(*history, PromptTurn("user", tuple(parts))),
        system=(PromptText(body.preamble),) if body.preamble else (),
        tools=tuple(PromptTool(tool.name, tool.description, _schema(tool)) for tool in body.tools),
        max_tokens=body.max_tokens or default_max_tokens(request.model),
        stop_sequences=tuple(body.stop_sequences),
        guardrail=request.guardrail,
    )


def _schema(tool: CohereTool) -> dict[str, Any]:
    kinds = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
    properties = {
        name: {"type": kinds.get(one.type.split("[")[0].lower(), "string"), "description": one.description}
        for name, one in tool.parameter_definitions.items()
    }
    required = [name for name, one in tool.parameter_definitions.items() if one.required]
    return {"type": "object", "properties": properties, "required": required}


class CommandRChunks:
    """Writes the chunks. The last one repeats the body of a whole answer."""

    def __init__(self, body: CommandRBody) -> None:
        self._request = body
        self._generation_id = str(uuid5(NAMESPACE_URL, f"generation {body.message[:500]}"))
        self._texts: list[str] = []
        self._calls: list[Json] = []

    def begin(self) -> list[LocalFrame]:
        """Write the start of the answer."""
        start = {"event_type": "stream-start", "generation_id": self._generation_id}
        return [LocalFrame({"is_finished": False, **start}, "open")]

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece of text; tool calls are written together at the end."""
        if piece.block.kind == "call":
            self._calls.append(_call(piece.block))
            return []
        if not piece.text:
            return []
        self._texts.append(piece.text)
        return [LocalFrame({"is_finished": False, "event_type": "text-generation", "text": piece.text}, "delta")]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the tool calls, then the whole text again (as recorded elsewhere: clients must ignore it)."""
        frames = []
        if self._calls:
            calls = {"event_type": "tool-calls-generation", "tool_calls": self._calls}
            frames.append(LocalFrame({"is_finished": False, **calls}, "delta"))
        response = self._response("".join(self._texts), self._calls, end)
        last = {"is_finished": True, "event_type": "stream-end", "response": response, "finish_reason": _reason(end)}
        return [*frames, LocalFrame(last, "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        calls = [_call(block) for block in blocks if block.kind == "call"]
        units = {"input_tokens": end.usage.prompt, "output_tokens": end.usage.output}
        return {**self._response(common.join_text(blocks), calls, end), "meta": {"billed_units": units}}

    def _response(self, text: str, calls: list[Json], end: End) -> Json:
        question = self._request.message
        history = [{"role": message.role, "message": message.message} for message in self._request.chat_history]
        return {
            "response_id": str(uuid5(NAMESPACE_URL, f"response {question[:500]}")),
            "text": text,
            "generation_id": self._generation_id,
            "chat_history": [
                *history,
                {"role": "USER", "message": question},
                {"role": "CHATBOT", "message": text},
            ],
            "finish_reason": _reason(end),
            **({"tool_calls": calls} if calls else {}),
        }


def _call(block: Block) -> Json:
    return {"name": block.name, "parameters": tool_choice.parse_arguments(block.text)}


def _reason(end: End) -> str:
    return {"max_tokens": "MAX_TOKENS", "stop_sequence": "STOP_SEQUENCE", "content_filtered": "ERROR_TOXIC"}.get(
        end.stop, "COMPLETE"
    )
