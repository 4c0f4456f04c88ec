"""Our request as Anthropic's Messages, in the version that Bedrock wants in the body."""

import base64
import binascii
from typing import Any

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import Json
from service.bedrock.rules import reasoning
from service.bedrock.wires.families.dialogue import accept, finished, present
from service.bedrock.words import choice_of, image_format, merged, no_words, object_schema, offered, remembered
from service.generation import (
    Block,
    CachePoint,
    Document,
    Image,
    Message,
    ReasoningBlock,
    Request,
    Text,
    Tool,
    ToolResult,
    ToolUse,
)

VERSION = "bedrock-2023-05-31"  # since October 2026 Claude 4.7 and later also take 2026-10-21, which refuses more
MOST_TOKENS = 4096  # max_tokens is required; the least that any Claude 3 or later may give


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    accept(request, model)
    said = {
        "anthropic_version": VERSION,
        "anthropic_beta": list(request.beta),
        "max_tokens": request.max_tokens or model.max_output_tokens or MOST_TOKENS,
        "messages": messages(request, prefill),
        "system": _system(request),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": list(request.stop_sequences),
        "tools": _tools(request),
        "tool_choice": _choice(request),
    }
    if user := request.metadata.get("user_id"):
        said["metadata"] = {"user_id": user}
    if request.output_schema is not None:
        said["output_config"] = {"format": {"type": "json_schema", "schema": request.output_schema}}
    return finished(merged(present(said), reasoning.fields(request, model, "invoke")), request, stream=stream)


def messages(request: Request, prefill: str = "") -> list[Json]:
    """Build the messages: neighbours of one role become one, a tool's results stand first in theirs."""
    turns: list[Json] = []
    for number, message in enumerate(request.messages):
        content = _content(message, f"messages.{number}.content")
        if content and turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": message.role, "content": content})
    for turn in turns:
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    if prefill and turns and turns[-1]["role"] == "assistant":
        turns[-1]["content"].append({"type": "text", "text": prefill})
    elif prefill:
        turns.append({"role": "assistant", "content": [{"type": "text", "text": prefill}]})
    if turns and turns[-1]["role"] == "assistant" and "text" in (last := turns[-1]["content"][-1]):
        last["text"] = last["text"].rstrip()  # Claude refuses to go on from white space
    return turns


def _content(message: Message, field: str) -> list[Json]:
    content: list[Json] = []
    for place, block in enumerate(message.content):
        if isinstance(block, CachePoint):
            _mark(content, block)
        elif (written := _block(block, f"{field}.{place}")) is not None:
            content.append(written)
    if not content and not all(isinstance(block, ReasoningBlock) for block in message.content):
        raise no_words(field, "a message needs text that is not blank, or another block")
    return content


def _mark(written: list[Json], point: CachePoint) -> None:
    """Mark the block before a cache point: Anthropic has no block of its own for it."""
    if written:
        written[-1]["cache_control"] = {"type": "ephemeral"} | ({"ttl": point.ttl} if point.ttl else {})


def _block(block: Block, field: str) -> Json | None:
    match block:
        case Text(text):
            return {"type": "text", "text": text} if text.strip() else None
        case Image():
            media_type = f"image/{image_format(block, field)}"
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": block.data}}
        case Document():
            said: Json = {"type": "document", "source": _source(block, field), "title": block.name}
            said |= {"context": block.context} if block.context else {}
            return said | ({"citations": {"enabled": True}} if block.citations else {})
        case ToolUse(call_id, name, arguments):
            return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
        case ToolResult():
            return _result(block, field)
        case ReasoningBlock(redacted=str(redacted)):
            return {"type": "redacted_thinking", "data": redacted}
        case ReasoningBlock(signature=str(signature)):
            return {"type": "thinking", "thinking": block.text or "", "signature": signature}
        case _:  # reasoning that Claude has not signed is another model's
            return None


def _result(result: ToolResult, field: str) -> Json:
    written = [_block(block, f"{field}.content.{place}") for place, block in enumerate(result.content)]
    said: Json = {"type": "tool_result", "tool_use_id": result.tool_use_id}
    if content := [block for block in written if block is not None]:
        said["content"] = content
    return said | ({"is_error": True} if result.is_error else {})


def _source(document: Document, field: str) -> Json:
    """A document's bytes, or its text where it is some."""
    if document.media_type == "application/pdf":
        return {"type": "base64", "media_type": document.media_type, "data": document.data}
    if not document.media_type.startswith("text/"):
        raise no_words(field, "media_type: by `invoke` this model takes PDF and text as documents")
    try:
        text = base64.b64decode(document.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise no_words(field, "a document of text has to be UTF-8 in base64") from None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _system(request: Request) -> Any:
    if not any(isinstance(block, CachePoint) for block in request.system):
        return request.system_text if request.system_text.strip() else None
    written: list[Json] = []
    for block in request.system:
        if isinstance(block, CachePoint):
            _mark(written, block)
        elif block.text.strip():
            written.append({"type": "text", "text": block.text})
    return written


def _tools(request: Request) -> list[Json]:
    written: list[Json] = []
    for tool in request.tools if offered(request) else remembered(request):
        if isinstance(tool, CachePoint):
            _mark(written, tool)
        else:
            written.append(_tool(tool))
    return written


def _tool(tool: Tool) -> Json:
    said: Json = {"name": tool.name, "input_schema": object_schema(tool)}
    if tool.description:
        said["description"] = tool.description
    if tool.strict is not None:
        said["strict"] = tool.strict
    return said


def _choice(request: Request) -> Json | None:
    if not offered(request) and not remembered(request):
        return None
    choice = choice_of(request)
    alone = request.parallel_tool_calls is False and (choice is None or choice.mode != "none")
    if choice is None and not alone:
        return None
    said: Json = {"type": choice.mode if choice else "auto"}
    if choice and choice.name:
        said["name"] = choice.name
    return said | ({"disable_parallel_tool_use": True} if alone else {})
