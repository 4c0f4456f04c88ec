"""Mistral Large 2407 and Pixtral: a chat whose chunks contain `message`, not `delta`."""

from service.local import shapes
from service.local.answer import Block, End, Piece
from service.local.chat_shapes import OpenAIBody
from service.local.families import chat_request, common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame, Phase


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, OpenAIBody, shapes.format_schema_error)
    prompt = chat_request.build_prompt(body, request)
    return common.make_plan(
        request,
        prompt,
        Chunking(1, 2, whole_calls=True),
        lambda _: MistralChatChunks(),
        id_prefix="call_",
        unknown_frame=LocalFrame({"object": "hologram", "depth": 3}),
    )


class MistralChatChunks:
    """Writes the chunks; a tool call is one chunk."""

    def __init__(self) -> None:
        self._calls = 0

    def begin(self) -> list[LocalFrame]:
        """Return nothing: the stream starts with the text."""
        return []

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write the chunk of a piece."""
        message: Json = {"role": "assistant", "content": piece.text}
        if piece.block.kind == "call":
            message = {"role": "assistant", "content": "", "tool_calls": [_call(piece.block, self._calls)]}
            self._calls += 1
        return [_choice(message, None, "delta")] if piece.text else []

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason."""
        return [_choice({"role": "assistant", "content": ""}, _stop(end), "last")]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        message: Json = {"role": "assistant", "content": common.join_text(blocks)}
        if calls := [block for block in blocks if block.kind == "call"]:
            message["tool_calls"] = [_call(block, number) for number, block in enumerate(calls)]
        return {"choices": [{"index": 0, "message": message, "stop_reason": _stop(end)}]}


def _choice(message: Json, stop: str | None, phase: Phase) -> LocalFrame:
    return LocalFrame({"choices": [{"index": 0, "message": message, "stop_reason": stop}]}, phase)


def _call(block: Block, index: int) -> Json:
    return {"id": block.id, "index": index, "function": {"name": block.name, "arguments": block.text}}


def _stop(end: End) -> str:
    return {"max_tokens": "length", "tool_use": "tool_calls"}.get(end.stop, "stop")
