"""What is planted in requests, each in a place of its own, so that a leak says where it comes from."""

import base64
import json
import secrets
from typing import Any

from tests.harness import CLAUDE, Json

_RUN = secrets.token_hex(4)


def canary(place: str) -> str:
    """Make a word that is found nowhere else."""
    return f"canary-{place}-{_RUN}"


PLACES = (
    "prompt", "system", "answer", "earlier", "argument", "result", "toolname", "description", "schema", "metadata",
    "stop", "filename", "document", "title", "extra", "wrongvalue", "wrongfield", "model", "key", "query", "path",
    "idempotency", "ticket", "bedrock", "bug", "cookie", "event", "user",
)  # fmt: skip
CANARIES = {place: canary(place) for place in PLACES}


def word(place: str) -> str:
    """The word that is planted in a place."""
    return CANARIES[place]


DOCUMENT = base64.b64encode(word("document").encode()).decode()
SAY = f'Reply with: "{word("answer")}" and nothing of {word("prompt")}'
TOOL = f"tool_{word('toolname').replace('-', '_')}"
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string", "description": word("schema")}}}
ARGUMENT: Json = {"a": word("argument")}


def native(say: str = SAY, **more: Any) -> Json:
    """The native request with a word in each place that has one."""
    return {
        "model_id": CLAUDE,
        "system": word("system"),
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": word("prompt")},
                    {"type": "document", "media_type": "text/plain", "data": DOCUMENT, "name": word("filename")},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": word("earlier")},
                    {"type": "tool_use", "id": "call_1", "name": TOOL, "input": ARGUMENT},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": word("result")},
                    {"type": "text", "text": say},
                ],
            },
        ],
        "tools": [{"name": TOOL, "description": word("description"), "input_schema": SCHEMA}],
        "stop_sequences": [word("stop")],
        "metadata": {"a": word("metadata")},
    } | more


def chat(say: str = SAY, **more: Any) -> Json:
    """The same for Chat Completions."""
    file = {"filename": f"{word('filename')}.txt", "file_data": f"data:text/plain;base64,{DOCUMENT}"}
    call = {"id": "call_1", "type": "function", "function": {"name": TOOL, "arguments": json.dumps(ARGUMENT)}}
    function = {"name": TOOL, "description": word("description"), "parameters": SCHEMA}
    return {
        "model": CLAUDE,
        "messages": [
            {"role": "system", "content": word("system")},
            {"role": "user", "content": [{"type": "text", "text": word("prompt")}, {"type": "file", "file": file}]},
            {"role": "assistant", "content": word("earlier"), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": word("result")},
            {"role": "user", "content": say},
        ],
        "tools": [{"type": "function", "function": function}],
        "stop": [word("stop")],
        "metadata": {"a": word("metadata")},
        "user": word("user"),
    } | more


def responses(say: str = SAY, **more: Any) -> Json:
    """The same for Responses."""
    file = {"type": "input_file", "filename": f"{word('filename')}.txt"}
    return {
        "model": CLAUDE,
        "instructions": word("system"),
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": word("prompt")},
                    file | {"file_data": f"data:text/plain;base64,{DOCUMENT}"},
                ],
            },
            {"type": "function_call", "call_id": "call_1", "name": TOOL, "arguments": json.dumps(ARGUMENT)},
            {"type": "function_call_output", "call_id": "call_1", "output": word("result")},
            {"role": "user", "content": say},
        ],
        "tools": [{"type": "function", "name": TOOL, "description": word("description"), "parameters": SCHEMA}],
        "metadata": {"a": word("metadata")},
        "user": word("user"),
    } | more


def messages(say: str = SAY, **more: Any) -> Json:
    """The same for Messages."""
    source = {"type": "base64", "media_type": "text/plain", "data": DOCUMENT}
    return {
        "model": CLAUDE,
        "max_tokens": 200,
        "system": word("system"),
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": word("prompt")},
                    {"type": "document", "source": source, "title": word("filename")},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": word("earlier")},
                    {"type": "tool_use", "id": "call_1", "name": TOOL, "input": ARGUMENT},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": word("result")},
                    {"type": "text", "text": say},
                ],
            },
        ],
        "tools": [{"name": TOOL, "description": word("description"), "input_schema": SCHEMA}],
        "stop_sequences": [word("stop")],
        "metadata": {"user_id": word("metadata")},
    } | more


ASKS = {
    "/api/generate": native,
    "/v1/chat/completions": chat,
    "/v1/responses": responses,
    "/v1/messages": messages,
}


def found_in(text: str) -> list[str]:
    """The places whose words stand in a text, whatever became of their hyphens."""
    plain = text.replace("_", "-")
    return [place for place, planted in CANARIES.items() if planted in plain]
