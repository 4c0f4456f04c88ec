"""What OpenAI's two request formats have in common: content parts, tools, the choice among them, effort."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from service.dialects.body import TTLS, spoken
from service.dialects.media import document, image
from service.dialects.refusal import wrong
from service.generation import Block, CachePoint, Reasoning, Text, Tool, ToolChoice, ToolUse
from service.json_depth import read_object

Json = dict[str, Any]

NO_PARAMETERS: Json = {"type": "object", "properties": {}}


class ImageUrl(Struct):
    """Chat's image: `url` is a data URL."""

    url: str


class File(Struct):
    """Chat's file: `file_data` is a data URL, or base64 where `filename` tells the type."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None


class CacheMark(Struct):
    """A cache point after a part: OpenAI's own `prompt_cache_breakpoint`, or the `cache_control` of other gateways."""

    ttl: str | None = None


class Part(Struct):
    """One part of a message's content, in either format."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | ImageUrl | None = None
    file: File | None = None
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    cache_control: CacheMark | None = None
    prompt_cache_breakpoint: CacheMark | None = None


Content = str | list[Part] | None


def blocks(content: Content, field: str) -> Iterator[Block]:
    """Read a message's content.

    Raises:
        InvalidRequest: a part that Bedrock has no place for, or that would have to be fetched.
    """
    if content is None or isinstance(content, str):
        yield from spoken(content or "")
        return
    for number, part in enumerate(content):
        yield from _block(part, f"{field}.{number}")
        if mark := part.prompt_cache_breakpoint or part.cache_control:
            yield CachePoint(mark.ttl if mark.ttl in TTLS else None)


def texts(content: Content, field: str) -> Iterator[Text | CachePoint]:
    """Read content that may only be text: what the system says.

    Raises:
        InvalidRequest: it holds something else.
    """
    for block in blocks(content, field):
        if not isinstance(block, Text | CachePoint):
            raise wrong(field, "Only text may stand here.")
        yield block


def _block(part: Part, field: str) -> Iterator[Block]:
    match part.type:
        case "text" | "input_text" | "output_text":
            yield from spoken(_required(part.text, f"{field}.text"))
        case "refusal":
            yield from spoken(_required(part.refusal, f"{field}.refusal"))
        case "image_url" | "input_image":
            url = part.image_url.url if isinstance(part.image_url, ImageUrl) else part.image_url
            yield image(_carried(url, part.file_id, field), f"{field}.image_url")
        case "file":
            file = part.file or File()
            yield document(_carried(file.file_data, file.file_id, field), file.filename, f"{field}.file.file_data")
        case "input_file":
            carried = _carried(part.file_data or part.file_url, part.file_id, field)
            yield document(carried, part.filename, f"{field}.file_data")
        case _:
            raise wrong(f"{field}.type", "Content of this type is not supported: text, images and files are.")


def _required(value: str | None, field: str) -> str:
    if value is None:
        raise wrong(field, "This field is required.")
    return value


def _carried(data: str | None, file_id: str | None, field: str) -> str:
    if data is None:
        what = "Uploaded files are not kept here; send the data itself" if file_id else "The data is missing"
        raise wrong(field, f"{what}, as a data URL.")
    return data


def tool_use(call_id: str, name: str, arguments: str) -> ToolUse:
    """Read a call the model made earlier. What is no JSON object (a call cut short) is handed back as it was."""
    try:
        said = read_object(arguments or "{}")
    except ValueError:
        said = {"raw_arguments": arguments}
    return ToolUse(call_id, name, said)


class Function(Struct):
    """A function the model may call. Chat wraps it, Responses does not."""

    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None

    @property
    def tool(self) -> Tool:
        """The function in our terms: its schema has an object at its root."""
        schema = self.parameters or NO_PARAMETERS
        return Tool(
            self.name, schema if "type" in schema else schema | {"type": "object"}, self.description, self.strict
        )


class ToolEntry(Struct):
    """A tool in either format; Responses has the function's members beside `type`."""

    type: str
    function: Function | None = None
    name: str | None = None
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


def tools(entries: Sequence[ToolEntry], field: str = "tools") -> tuple[Tool, ...]:
    """Read the tools.

    Raises:
        InvalidRequest: a tool that OpenAI itself would run, or that is no function.
    """
    return tuple(_tool(entry, f"{field}.{number}") for number, entry in enumerate(entries))


def _tool(entry: ToolEntry, field: str) -> Tool:
    if entry.type != "function":
        raise wrong(f"{field}.type", "Bedrock has no tool of this type; only functions can be called.")
    if entry.function is not None:
        return entry.function.tool
    name = _required(entry.name, f"{field}.name")
    return Function(name, entry.description, entry.parameters, entry.strict).tool


class Choice(Struct):
    """What the caller says of the tools: the mode, the choice in our terms, and the tools that are left of them."""

    choice: ToolChoice | None
    tools: tuple[Tool, ...]


_MODES = {"auto": ToolChoice("auto"), "none": ToolChoice("none"), "required": ToolChoice("any")}


def choose(given: str | Json | None, offered: tuple[Tool, ...], field: str = "tool_choice") -> Choice:
    """Read the choice among the tools.

    Raises:
        InvalidRequest: it is none of those we know, or names a tool that is not offered.
    """
    match given:
        case None:
            return Choice(None, offered)
        case str() if given in _MODES:
            return Choice(_MODES[given] if offered else None, offered)
        case {"type": "function", "name": str(name)} | {"type": "function", "function": {"name": str(name)}}:
            return Choice(ToolChoice("tool", _offered(name, offered, field)), offered)
        case {"type": "allowed_tools", "allowed_tools": {"mode": str(mode), "tools": list(allowed)}}:
            return _allowed(mode, allowed, offered, field)
        case {"type": "allowed_tools", "mode": str(mode), "tools": list(allowed)}:
            return _allowed(mode, allowed, offered, field)
    raise wrong(field, "This must be auto, none, required, or name a function.")


def _offered(name: str, offered: tuple[Tool, ...], field: str) -> str:
    if all(tool.name != name for tool in offered):
        raise wrong(field, "This tool is not among the tools.")
    return name


def _allowed(mode: str, allowed: list[Any], offered: tuple[Tool, ...], field: str) -> Choice:
    names = set()
    for entry in allowed:
        match entry:
            case {"name": str(name)} | {"function": {"name": str(name)}}:
                names.add(_offered(name, offered, field))
            case _:
                raise wrong(field, "Each allowed tool must be named.")
    if mode not in ("auto", "required"):
        raise wrong(f"{field}.mode", "This must be auto or required.")
    return Choice(_MODES[mode], tuple(tool for tool in offered if tool.name in names))


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def effort(given: str | None, field: str) -> Reasoning | None:
    """Read how much to reason. `minimal` is Bedrock's `low`, which knows no less but nothing at all.

    Raises:
        InvalidRequest: it is none of OpenAI's words.
    """
    if given is None:
        return None
    if given not in EFFORTS:
        raise wrong(field, f"This must be one of {', '.join(EFFORTS)}.")
    if given == "none":
        return Reasoning(enabled=False)
    return Reasoning(effort="low" if given == "minimal" else given)


def output_schema(given: Json | None, dropped: list[str], field: str) -> tuple[Json | None, str | None]:
    """Read the form that the answer must have: its schema and the schema's name.

    `json_object` asks for JSON without saying which: Bedrock has no such mode, and OpenAI wants the prompt to say so
    too.

    Raises:
        InvalidRequest: a form we do not know.
    """
    match given:
        case None | {"type": "text"}:
            return None, None
        case {"type": "json_schema", "json_schema": {"schema": dict()}}:
            return _schema(given["json_schema"])
        case {"type": "json_schema", "schema": dict()}:
            return _schema(given)
        case {"type": "json_object"}:
            dropped.append(field)
            return None, None
    raise wrong(field, "This must be text, json_object, or json_schema with a schema.")


def _schema(form: Json) -> tuple[Json, str | None]:
    name = form.get("name")
    return form["schema"], name if isinstance(name, str) else None
