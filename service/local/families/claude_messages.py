"""Claude 3 and later: the Messages format of Anthropic."""

from collections.abc import Iterator

from service.bedrock.catalog.resolution import Model
from service.local import media, shapes
from service.local.answer import Block, End, Piece
from service.local.families import common
from service.local.families.claude_rules import as_blocks, check
from service.local.families.claude_shapes import (
    ClaudeBase64Source,
    ClaudeBody,
    ClaudeDocumentBlock,
    ClaudeImageBlock,
    ClaudeTextBlock,
    ClaudeTextSource,
    ClaudeThinkingBlock,
    ClaudeToolResultBlock,
    ClaudeToolUseBlock,
    Content,
)
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.prompt import (
    LocalPrompt,
    Media,
    Part,
    PromptCachePoint,
    PromptReasoning,
    PromptText,
    PromptTool,
    PromptToolResult,
    PromptToolUse,
    PromptTurn,
)
from service.local.text import reasoning_text, tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, ClaudeBody, shapes.format_anthropic_error)
    prompt = _prompt(body, request, thinks=check(body, request.model))
    id_ = f"msg_bdrk_{tool_choice.make_token(prompt, -1)}"
    return common.make_plan(
        request,
        prompt,
        Chunking(1, 4, opens_calls=True),
        lambda start: ClaudeMessagesChunks(request.model, id_, start),
        id_prefix="toolu_bdrk_",
    )


def _prompt(body: ClaudeBody, request: InvokeRequest, *, thinks: bool) -> LocalPrompt:
    turns = [
        PromptTurn("assistant" if message.role == "assistant" else "user", tuple(_parts(message.content, place)))
        for place, message in enumerate(body.messages)
    ]
    prefill = turns.pop().text if turns[-1].role == "assistant" else ""
    choice = body.tool_choice
    output = body.output_config
    return LocalPrompt(
        model=request.model,
        turns=tuple(turns),
        system=tuple(_parts(body.system, -1)) if body.system else (),
        tools=tuple(PromptTool(tool.name, tool.description, tool.input_schema) for tool in body.tools),
        choice="auto" if choice is None else f"tool:{choice.name}" if choice.type == "tool" else choice.type,
        parallel=not (choice and choice.disable_parallel_tool_use),
        max_tokens=body.max_tokens,
        stop_sequences=tuple(body.stop_sequences),
        reasoning=thinks or request.model.always_reasons,
        prefill=prefill,
        schema=output.format.schema if output and output.format else None,
        guardrail=request.guardrail,
        tools_cached=any(tool.cache_control for tool in body.tools),
    )


def _parts(content: str | list[Content] | list[ClaudeTextBlock], message: int) -> Iterator[Part]:
    for number, block in enumerate(as_blocks(content)):
        yield _part(block, f"messages.{message}.content.{number}")
        if block.cache_control:
            yield PromptCachePoint()


def _part(block: Content, place: str) -> Part:
    match block:
        case ClaudeTextBlock():
            return PromptText(block.text)
        case ClaudeImageBlock():
            content = media.decode_base64(block.source.data, place)
            return media.read_image(block.source.media_type.removeprefix("image/"), content)
        case ClaudeDocumentBlock():
            return _document(block, place)
        case ClaudeToolUseBlock():
            return PromptToolUse(block.id, block.name, block.input)
        case ClaudeToolResultBlock():
            texts = [
                part.text if isinstance(part, ClaudeTextBlock) else "[attachment]" for part in as_blocks(block.content)
            ]
            return PromptToolResult(block.tool_use_id, " ".join(texts), block.is_error)
        case ClaudeThinkingBlock():
            reasoning = PromptReasoning(block.thinking, block.signature)
            reasoning_text.check_signature(reasoning, place)
            return reasoning
        case _:
            return PromptReasoning(signature=block.data)


def _document(block: ClaudeDocumentBlock, place: str) -> Media:
    cited = block.citations is not None and block.citations.enabled
    source = block.source
    if isinstance(source, ClaudeBase64Source):
        format_, content = source.media_type.rpartition("/")[2], media.decode_base64(source.data, place)
    elif isinstance(source, ClaudeTextSource):
        format_, content = "txt", source.data.encode()
    else:
        text = source.content if isinstance(source.content, str) else "\n".join(part.text for part in source.content)
        format_, content = "txt", text.encode()
    return media.read_document(format_, block.title or "", content, cited=cited)


class ClaudeMessagesChunks:
    """Writes the chunks of one answer."""

    def __init__(self, model: Model, id_: str, start: StreamStart) -> None:
        self._model = model
        self._id = id_
        self._start = start

    def begin(self) -> list[LocalFrame]:
        """Write the start of the message, which already counts output tokens (recorded: 1 to 8)."""
        message = _message(self._model, self._id, [], None, None, _usage(self._start, 1))
        return [LocalFrame({"type": "message_start", "message": message}, "open")]

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece, and the start and the end of its block."""
        block, index, frames = piece.block, piece.block.index, []
        if piece.first:
            frames.append(LocalFrame({"type": "content_block_start", "index": index, "content_block": _start(block)}))
            if block.citation:
                citation = {"type": "citations_delta", "citation": _citation(block)}
                frames.append(LocalFrame({"type": "content_block_delta", "index": index, "delta": citation}, "delta"))
        if block.kind != "redacted" and (piece.text or (block.kind == "call" and piece.first)):
            delta = {"type": "content_block_delta", "index": index, "delta": _delta(block, piece.text)}
            frames.append(LocalFrame(delta, "delta" if piece.text else "other"))
        if piece.last:
            if block.kind == "thinking":
                signature = {"type": "signature_delta", "signature": block.signature}
                frames.append(LocalFrame({"type": "content_block_delta", "index": index, "delta": signature}, "delta"))
            frames.append(LocalFrame({"type": "content_block_stop", "index": index}))
        return frames

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason and the usage."""
        delta = {"stop_reason": _stop(end.stop), "stop_sequence": end.sequence}
        usage = {"output_tokens": end.usage.output}
        return [
            LocalFrame({"type": "message_delta", "delta": delta, "usage": usage}, "stop"),
            LocalFrame({"type": "message_stop"}, "last"),
        ]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        content = [_content(block) for block in blocks]
        usage = _usage(self._start, end.usage.output)
        return _message(self._model, self._id, content, _stop(end.stop), end.sequence, usage)


def _start(block: Block) -> Json:
    match block.kind:
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "redacted":
            return {"type": "redacted_thinking", "data": block.text}
        case "call":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
        case _:
            return {"type": "text", "text": "", **({"citations": []} if block.citation else {})}


def _delta(block: Block, text: str) -> Json:
    match block.kind:
        case "thinking":
            return {"type": "thinking_delta", "thinking": text}
        case "call":
            return {"type": "input_json_delta", "partial_json": text}
        case _:
            return {"type": "text_delta", "text": text}


def _citation(block: Block) -> Json:
    citation = block.citation or {}
    ((kind, where),) = citation["location"].items()
    unit = {"documentChar": ("char_location", "char_index"), "documentPage": ("page_location", "page_number")}[kind]
    return {
        "type": unit[0],
        "cited_text": citation["sourceContent"][0]["text"],
        "document_index": where["documentIndex"],
        "document_title": citation["title"],
        f"start_{unit[1]}": where["start"],
        f"end_{unit[1]}": where["end"],
    }


def _content(block: Block) -> Json:
    match block.kind:
        case "thinking":
            return {"type": "thinking", "thinking": block.text, "signature": block.signature}
        case "redacted":
            return {"type": "redacted_thinking", "data": block.text}
        case "call":
            return {
                "type": "tool_use",
                "id": block.id,
                "name": block.name,
                "input": tool_choice.parse_arguments(block.text),
            }
        case _:
            return {"type": "text", "text": block.text, **({"citations": [_citation(block)]} if block.citation else {})}


def _message(model: Model, id_: str, content: list[Json], stop: str | None, sequence: str | None, usage: Json) -> Json:
    return {
        "id": id_,
        "type": "message",
        "role": "assistant",
        "model": model.id.removeprefix("anthropic.").split("-v")[0],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "usage": usage,
    }


def _usage(start: StreamStart, output: int) -> Json:
    return {
        "input_tokens": start.input_tokens,
        "cache_creation_input_tokens": start.cache_write,
        "cache_read_input_tokens": start.cache_read,
        "output_tokens": output,
    }


def _stop(reason: str) -> str:
    # The intervention of a guardrail stands in a member beside the message, not in its stop reason.
    return {"guardrail_intervened": "end_turn", "content_filtered": "refusal"}.get(reason, reason)
