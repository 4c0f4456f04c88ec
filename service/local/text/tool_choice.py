"""Chooses the tools that an answer calls, and writes their arguments."""

import json
import re
from typing import Any
from zlib import crc32

from service.local.prompt import LocalPrompt, PromptTool, PromptToolResult
from service.local.text.schema_samples import Material, sample

_SEVERAL = re.compile(r"\b(both|two|each|twice|parallel|as well as|respectively)\b", re.IGNORECASE)
_COMMON = frozenset(
    """about and any are current data for from get give given information into its list look make name need number
    return returns search send set show some text that the this tool use used user value values what when which will
    with your""".split()  # noqa: SIM905
)


def choose_calls(prompt: LocalPrompt) -> list[tuple[PromptTool, str]]:
    """Choose the tools to call; return each with its arguments as JSON text."""
    text = prompt.question
    chosen = _choose(prompt, text)
    if not chosen:
        return []
    if len(chosen) == 1 and prompt.parallel and _SEVERAL.search(text) and len(Material(text).names) > 1:
        chosen = chosen * 2
    return [
        (tool, write_arguments(tool, text, turn)) for turn, tool in enumerate(chosen[: 2 if prompt.parallel else 1])
    ]


def write_arguments(tool: PromptTool, text: str, turn: int = 0) -> str:
    """Write arguments that satisfy a tool's schema."""
    if tool.server and not tool.schema:
        return json.dumps(
            {"snippet": "print(6 * 7)"} if "code" in tool.name else {"query": " ".join(text.split())[:200]}
        )
    return json.dumps(sample(tool.schema, Material(text, turn)), ensure_ascii=False)


def parse_arguments(written: str) -> dict[str, Any]:
    """Parse the arguments of a tool call; an empty object if the token limit cut them."""
    try:
        arguments: dict[str, Any] = json.loads(written)
    except ValueError:
        return {}
    return arguments


def run_server_tool(tool: PromptTool) -> str:
    """Return the result of a tool that the local Bedrock runs, as JSON text."""
    if "code" in tool.name:
        return json.dumps({"stdOut": "42", "stdErr": "", "exitCode": 0, "isError": False})
    return json.dumps({"results": [{"title": "Wells and water", "text": "Water rises under its own pressure."}]})


def make_token(prompt: LocalPrompt, number: int, letters: int = 22) -> str:
    """Return letters for an id, which depend on the conversation and the number of the call only."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    seed = f"{len(prompt.turns)}:{prompt.question}:{number}"
    state, made = crc32(seed.encode(errors="replace")), ""
    for _ in range(letters):
        state = (state * 1_103_515_245 + 12_345) % 2**31
        made += alphabet[(state >> 8) % len(alphabet)]
    return made


def _choose(prompt: LocalPrompt, text: str) -> list[PromptTool]:
    if prompt.choice.startswith("tool:"):
        return [tool for tool in prompt.tools if tool.name == prompt.choice.removeprefix("tool:")]
    if prompt.choice == "none" or not prompt.tools:
        return []
    has_results = any(isinstance(part, PromptToolResult) for part in prompt.last.parts)
    matching = [] if has_results and prompt.choice != "any" else [tool for tool in prompt.tools if _matches(tool, text)]
    if prompt.choice == "any":
        return matching or [prompt.tools[0]]
    return matching


def _matches(tool: PromptTool, text: str) -> bool:
    words = {_stem(word) for word in re.findall(r"\w+", text.lower())}
    name = [word for word in re.split(r"[_\W]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool.name).lower()) if word]
    if tool.name.lower() in text.lower() or {_stem(word) for word in name if word not in _COMMON} & words:
        return True
    described = {word for word in re.findall(r"\w{4,}", tool.description.lower()) if word not in _COMMON}
    return bool({_stem(word) for word in described} & words)


def _stem(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word  # noqa: PLR2004 "gas", "as"
