"""Our request as Cohere's chat of Command R: one message, and what came before it as a history of plain texts.

A tool's answer goes with the question that led to its call, so what the model called since then is told in
`tool_results`; calls that were answered earlier stand in the history as text.
"""

import json
from typing import Any

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import Json
from service.bedrock.wires.families.dialogue import accept, finished, present
from service.bedrock.words import choice_of, offered, result_text
from service.generation import Message, Request, Text, Tool, ToolResult, ToolUse

_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}
"""JSON Schema's words in Cohere's, which are Python's."""


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body. Cohere's chat cannot be gone on from: `prefill` ends the history as the chatbot's."""
    accept(request, model)
    asked = _question(request.messages)
    choice = choice_of(request)
    tools = [] if choice and choice.mode == "none" else [_tool(tool) for tool in offered(request)]
    said = {
        "message": _text(request.messages[asked]),
        "chat_history": _history(request.messages[:asked]) + ([_turn("CHATBOT", prefill)] if prefill else []),
        "preamble": request.system_text.strip(),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "p": request.top_p,
        "k": request.top_k,
        "stop_sequences": list(request.stop_sequences),
        "tools": tools,
        "tool_results": _results(request.messages[asked + 1 :], asked + 1),
    }
    kept = present(said)
    return finished({"message": said["message"], **kept}, request, stream=stream)


def _question(messages: tuple[Message, ...]) -> int:
    """The place of the last thing that the user said in words."""
    places = [place for place, message in enumerate(messages) if message.role == "user" and _text(message).strip()]
    return places[-1] if places else len(messages) - 1


def _text(message: Message) -> str:
    return "\n".join(block.text for block in message.content if isinstance(block, Text))


def _turn(role: str, text: str) -> Json:
    return {"role": role, "message": text}


def _history(messages: tuple[Message, ...]) -> list[Json]:
    roles = {"user": "USER", "assistant": "CHATBOT"}
    written = [(roles[message.role], _told(message, number)) for number, message in enumerate(messages)]
    return [_turn(role, text) for role, text in written if text]


def _told(message: Message, number: int) -> str:
    lines: list[str] = []
    for place, block in enumerate(message.content):
        match block:
            case Text(text):
                lines.append(text)
            case ToolUse(_, name, arguments):
                lines.append(f"(called {name} with {json.dumps(arguments)})")
            case ToolResult():
                lines.append(f"(the tool answered: {result_text(block, f'messages.{number}.content.{place}')})")
    return "\n".join(lines)


def _results(messages: tuple[Message, ...], first: int) -> list[Json]:
    """The calls since the question, each with its answer."""
    calls = {block.id: block for message in messages for block in message.content if isinstance(block, ToolUse)}
    results: list[Json] = []
    for number, message in enumerate(messages, first):
        for place, block in enumerate(message.content):
            if isinstance(block, ToolResult) and (call := calls.get(block.tool_use_id)):
                text = result_text(block, f"messages.{number}.content.{place}")
                named = {"name": call.name, "parameters": call.input}
                results.append({"call": named, "outputs": [_output(text)]})
    return results


def _output(text: str) -> Json:
    """An output is an object; a text that is none stands in one."""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        said = text
    return said if isinstance(said, dict) else {"result": said}


def _tool(tool: Tool) -> Json:
    required, properties = tool.input_schema.get("required"), tool.input_schema.get("properties")
    names = required if isinstance(required, list) else []
    schemas = properties if isinstance(properties, dict) else {}
    definitions = {name: _parameter(schema, name in names) for name, schema in schemas.items()}
    return {"name": tool.name, "description": tool.description or tool.name, "parameter_definitions": definitions}


def _parameter(schema: Any, required: bool) -> Json:  # noqa: FBT001 - a column of a table
    said = schema if isinstance(schema, dict) else {}
    kind = said.get("type")
    definition: Json = {"type": _TYPES.get(kind, "str") if isinstance(kind, str) else "str", "required": required}
    return definition | ({"description": said["description"]} if said.get("description") else {})
