"""Anthropic's tools in our terms, with those whose schema is Anthropic's own.

`bash`, the text editor and memory are run by the client; a model of Anthropic's knows their schema by heart. Spelled
out they are ordinary tools, which any model can call. What Anthropic itself runs (web search, code execution …)
Bedrock lacks, and it is refused by name.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from service.dialects.body import TTLS
from service.dialects.refusal import wrong
from service.generation import CachePoint, Tool, ToolChoice

Json = dict[str, Any]

_ELSEWHERE = re.compile(r"(web_search|web_fetch|code_execution|computer|tool_search_tool_(bm25|regex))_\d{8}")
"""What Anthropic's own service has, and may therefore be named in a refusal: nobody wrote it for us to repeat."""


class CacheControl(Struct):
    """A cache point after whatever carries it."""

    type: str = "ephemeral"
    ttl: str | None = None

    @property
    def point(self) -> CachePoint:
        """The cache point in our terms."""
        return CachePoint(self.ttl if self.ttl in TTLS else None)


class ToolEntry(Struct):
    """One of the request's tools. `type` is absent or `custom` but for Anthropic's own."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Json | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


def tools(entries: Sequence[ToolEntry]) -> Iterator[Tool | CachePoint]:
    """Read the tools.

    Raises:
        InvalidRequest: a tool that Bedrock lacks, or one without a schema.
    """
    for number, entry in enumerate(entries):
        yield _tool(entry, f"tools.{number}")
        if entry.cache_control is not None:
            yield entry.cache_control.point


def _tool(entry: ToolEntry, field: str) -> Tool:
    if entry.type not in (None, "custom"):
        return _own(entry, field)
    if not entry.name:
        raise wrong(f"{field}.name", "This field is required.")
    if entry.input_schema is None:
        raise wrong(f"{field}.input_schema", "This field is required.")
    schema = entry.input_schema if "type" in entry.input_schema else entry.input_schema | {"type": "object"}
    return Tool(entry.name, schema, entry.description, entry.strict)


def _own(entry: ToolEntry, field: str) -> Tool:
    kind = (entry.type or "").rsplit("_", 1)[0]  # without its date
    if kind not in _OWN:
        named = entry.type if _ELSEWHERE.fullmatch(entry.type or "") else "of this type"
        raise wrong(f"{field}.type", f"Bedrock has no tool {named}; the client's own are {', '.join(_OWN)}.")
    name, description, schema = _OWN[kind]
    return Tool(entry.name or name, schema, description, entry.strict)


def choose(given: Json | None, offered: Sequence[Tool | CachePoint]) -> tuple[ToolChoice | None, bool | None]:
    """Read the choice among the tools, and whether several may be called at once.

    Raises:
        InvalidRequest: it is none of Anthropic's, or names a tool that is not offered.
    """
    parallel = None
    if given is not None and isinstance(disabled := given.get("disable_parallel_tool_use"), bool):
        parallel = not disabled
    match given:
        case None:
            return None, None
        case {"type": "auto"}:
            return ToolChoice("auto") if offered else None, parallel
        case {"type": "any"}:
            return ToolChoice("any"), parallel
        case {"type": "none"}:
            return ToolChoice("none") if offered else None, parallel
        case {"type": "tool", "name": str(name)}:
            if any(isinstance(tool, Tool) and tool.name == name for tool in offered):
                return ToolChoice("tool", name), parallel
            raise wrong("tool_choice.name", "This tool is not among the tools.")
    raise wrong("tool_choice", "Its type must be auto, any, none, or tool with a name.")


def _object(required: Sequence[str], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT: Json = {"type": "string"}
_LINE: Json = {"type": "integer"}
_LINES: Json = {"type": "array", "items": _LINE, "minItems": 2, "maxItems": 2}


def _commands(*commands: str) -> Json:
    return {"type": "string", "enum": list(commands)}


_BASH = "Run a command in a persistent bash session, or restart the session."

_EDITOR = """\
View and edit text files. `view` shows a file, or some of its lines, or lists a directory; `create` writes a file of \
`file_text`; `str_replace` replaces `old_str`, which must occur exactly once, by `new_str`; `insert` puts \
`insert_text` after the line `insert_line` (0: at the beginning)."""

_MEMORY = """\
Keep notes in files under /memories, across conversations. `view` shows a file or lists a directory; `create` writes a \
file of `file_text`; `str_replace` replaces `old_str` by `new_str`; `insert` puts `insert_text` after the line \
`insert_line`; `delete` removes `path`; `rename` moves `old_path` to `new_path`."""

_EDITING: Json = {
    "path": _TEXT,
    "view_range": _LINES,
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _LINE,
    "insert_text": _TEXT,
}
_VIEWING = ("view", "create", "str_replace", "insert")

# As Anthropic documents them (tool use, "Bash tool", "Text editor tool", "Memory tool"), in our words.
_OWN: dict[str, tuple[str, str, Json]] = {
    "bash": ("bash", _BASH, _object([], command=_TEXT, restart={"type": "boolean"})),
    "text_editor": (
        "str_replace_based_edit_tool",
        _EDITOR,
        _object(["command", "path"], command=_commands(*_VIEWING), **_EDITING),
    ),
    "memory": (
        "memory",
        _MEMORY,
        _object(
            ["command"], command=_commands(*_VIEWING, "delete", "rename"), old_path=_TEXT, new_path=_TEXT, **_EDITING
        ),
    ),
}
