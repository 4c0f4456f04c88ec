"""The members of each wire that hold a request's prompt, system prompt, tools and length; `extra` may not set them.

They are estimated, checked and charged before `extra` is merged into the body, so a second one would replace what was
checked. Paths are dotted; the value names the field of our request to use instead. Names as the families' bodies write
them and as their makers document them (AWS's inference parameters by model, 2026-11).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from service.bedrock.catalog.model import Target
from service.errors import FieldError

_PROMPT, _SYSTEM, _TOOLS, _LENGTH = "prompt or messages", "system", "tools", "max_tokens"
_VERSION = "no other field: the service chooses it"

Members = Mapping[str, str]

_CHAT: Members = {
    "messages": _PROMPT,
    "prompt": _PROMPT,
    "input": _PROMPT,
    "system": _SYSTEM,
    "instructions": _SYSTEM,
    "tools": _TOOLS,
    "functions": _TOOLS,
    "max_tokens": _LENGTH,
    "max_completion_tokens": _LENGTH,
}
_RAW: Members = {"prompt": _PROMPT, "max_tokens": _LENGTH}
_GUARDRAIL: Members = {"amazon-bedrock-guardrailConfig": "guardrail"}

FAMILIES: dict[str, Members] = {
    "claude_text": {"anthropic_version": _VERSION, "prompt": _PROMPT, "max_tokens_to_sample": _LENGTH},
    "claude_messages": {
        "anthropic_version": _VERSION,
        "messages": _PROMPT,
        "system": _SYSTEM,
        "tools": _TOOLS,
        "max_tokens": _LENGTH,
    },
    "nova": {
        "schemaVersion": _VERSION,
        "messages": _PROMPT,
        "system": _SYSTEM,
        "toolConfig": _TOOLS,
        "inferenceConfig.maxTokens": _LENGTH,
        "inferenceConfig.max_new_tokens": _LENGTH,
    },
    "titan": {"inputText": _PROMPT, "textGenerationConfig.maxTokenCount": _LENGTH},
    "llama": {"prompt": _PROMPT, "images": _PROMPT, "max_gen_len": _LENGTH},
    "command": _RAW,
    "command_r": {
        "message": _PROMPT,
        "chat_history": _PROMPT,
        "messages": _PROMPT,
        "preamble": _SYSTEM,
        "tools": _TOOLS,
        "tool_results": _PROMPT,
        "max_tokens": _LENGTH,
    },
    "jurassic": {"prompt": _PROMPT, "maxTokens": _LENGTH},
    "mistral_prompt": _RAW,
    "mistral_chat": _CHAT,
    "deepseek_r1": _RAW,
    "openai_chat": _CHAT,
}
FAMILIES["tolerant"] = {path: field for members in FAMILIES.values() for path, field in members.items()}

CONVERSE: Members = {
    "messages": _PROMPT,
    "system": _SYSTEM,
    "toolConfig": _TOOLS,
    "guardrailConfig": "guardrail",
    "inferenceConfig.maxTokens": _LENGTH,
}


def refusals(extra: Mapping[str, Any], target: Target) -> Iterator[FieldError]:
    """List the members of `extra` that the service itself builds for this target."""
    if not extra:
        return
    own = {**FAMILIES.get(target.family, FAMILIES["tolerant"]), **_GUARDRAIL}
    paths = {**own, **CONVERSE} if target.api == "converse" else own
    found = {member: field for path, field in paths.items() if (member := _found(extra, path)) is not None}
    yield from (FieldError(f"extra.{member}", f"use {field}") for member, field in found.items())


def _found(extra: Mapping[str, Any], path: str) -> str | None:
    """Find a path in `extra`, or the part of it that replaces everything below."""
    outer, _, inner = path.partition(".")
    if outer not in extra:
        return None
    value = extra[outer]
    if not inner or not isinstance(value, dict):
        return outer
    return path if inner in value else None
