"""A request's messages and tools in OpenAI's chat shape, which Mistral's chat shares."""

import json
from typing import Any

from service.bedrock.json_fields import Json
from service.bedrock.words import choice_of, no_words, object_schema, offered, remembered, result_text
from service.generation import Image, Message, Request, Text, Tool, ToolResult, ToolUse


def messages(request: Request, prefill: str = "") -> list[Json]:
    """Build the messages: the system's first, a tool's result as a message of its own, before what the user says."""
    system = request.system_text.strip()
    turns: list[Json] = [{"role": "system", "content": system}] if system else []
    for number, message in enumerate(request.messages):
        turns += _user(message, number) if message.role == "user" else _assistant(message)
    if prefill and turns and turns[-1]["role"] == "assistant" and "tool_calls" not in turns[-1]:
        turns[-1]["content"] += prefill
    elif prefill:
        turns.append({"role": "assistant", "content": prefill})
    return turns


def _user(message: Message, number: int) -> list[Json]:
    turns: list[Json] = []
    parts: list[Json] = []
    for place, block in enumerate(message.content):
        match block:
            case ToolResult(call_id):
                field = f"messages.{number}.content.{place}"
                turns.append({"role": "tool", "tool_call_id": call_id, "content": result_text(block, field)})
            case Text(text) if text:
                parts.append({"type": "text", "text": text})
            case Image(media_type, data):
                parts.append({"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}})
    if parts:
        turns.append({"role": "user", "content": _simplest(parts)})
    elif not turns:
        raise no_words(f"messages.{number}.content", "a message needs text that is not blank, or another block")
    return turns


def _simplest(parts: list[Json]) -> Any:
    """Text alone goes as a string: Jamba takes nothing else."""
    texts = [part["text"] for part in parts if "text" in part]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def _assistant(message: Message) -> list[Json]:
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": json.dumps(block.input)}}
        for block in message.content
        if isinstance(block, ToolUse)
    ]
    text = "\n".join(block.text for block in message.content if isinstance(block, Text))
    if not text and not calls:  # nothing but reasoning, which these bodies have no word for
        return []
    return [{"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})]


def tools(request: Request) -> list[Json]:
    """Build the tools: those offered, or else those that the history calls."""
    return [_tool(tool) for tool in offered(request) or remembered(request)]


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name, "parameters": object_schema(tool)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def tool_choice(request: Request, some: str) -> Any:
    """Build the choice among the tools; `some` is the family's word for "any of them"."""
    choice = choice_of(request)
    if choice is None or not tools(request):
        return None
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return some if choice.mode == "any" else choice.mode
