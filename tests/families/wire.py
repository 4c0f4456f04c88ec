"""Sequences of chunks from `tests/wire`, and the short way from chunks to deltas."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from service.bedrock.catalog.model import Target
from service.bedrock.catalog.resolution import resolve
from service.bedrock.wires.families import wire_of
from service.deltas import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from service.generation import Message, Request, Text

WIRE = Path(__file__).parent.parent / "wire"

EXAMPLES = {
    "claude_text": "anthropic.claude-v2:1",
    "claude_messages": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "amazon.nova-pro-v1:0",
    "titan": "amazon.titan-text-express-v1",
    "llama": "meta.llama3-1-70b-instruct-v1:0",
    "command": "cohere.command-text-v14",
    "command_r": "cohere.command-r-v1:0",
    "jurassic": "ai21.j2-ultra-v1",
    "mistral_prompt": "mistral.mistral-7b-instruct-v0:2",
    "mistral_chat": "mistral.mistral-large-2407-v1:0",
    "deepseek_r1": "deepseek.r1-v1:0",
    "openai_chat": "openai.gpt-oss-120b-1:0",
    "tolerant": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl",
}
"""A model of each family."""


class Recording(Struct, frozen=True):
    """One file: what it is, and its chunks."""

    name: str
    model: str
    api: Literal["converse", "invoke"]
    chunks: list[Any]


def recordings() -> list[Recording]:
    """Every sequence there is."""
    return [_read(path) for path in sorted(WIRE.glob("*/*.jsonl"))]


def _read(path: Path) -> Recording:
    head, *chunks = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert head["origin"]
    assert head["date"]
    return Recording(path.stem, head["model"], head["api"], chunks)


def asked(model_id: str, api: Literal["auto", "converse", "invoke"] = "invoke", **fields: Any) -> Request:
    """A short question."""
    return Request(model_id, **{"messages": (Message("user", (Text("Hello?"),)),), "api": api, **fields})


def target_of(request: Request) -> Target:
    """What a request is resolved to."""
    return resolve(request)


def decoded(request: Request, chunks: Iterable[Any], *, prefill: str = "") -> list[Delta]:
    """Decode a stream to its end."""
    target = resolve(request)
    decoder = wire_of(target).decoder(request, target.model, prefill=prefill)
    deltas = [delta for chunk in chunks for delta in decoder.decode(chunk)]
    return deltas + decoder.finish()


def whole(request: Request, answer: Any, headers: dict[str, str] | None = None) -> list[Delta]:
    """Decode a whole answer."""
    target = resolve(request)
    return wire_of(target).whole(answer, headers or {}, request, target.model)


def body(request: Request, *, stream: bool = True, prefill: str = "") -> dict[str, Any]:
    """Build the body of a request."""
    target = resolve(request)
    return wire_of(target).body(request, target.model, stream=stream, prefill=prefill)


def joined(deltas: Iterable[Delta]) -> list[Delta]:
    """Join neighbouring pieces of one block, for what does not depend on where they were cut."""
    result: list[Delta] = []
    for delta in deltas:
        last = result[-1] if result else None
        match last, delta:
            case TextDelta(index, text), TextDelta(same, more) if index == same:
                result[-1] = TextDelta(index, text + more)
            case ToolCallDelta(index, text), ToolCallDelta(same, more) if index == same:
                result[-1] = ToolCallDelta(index, text + more)
            case ReasoningDelta(index, str(text)), ReasoningDelta(same, str(more)) if index == same:
                result[-1] = ReasoningDelta(index, text + more)
            case _:
                result.append(delta)
    return result
