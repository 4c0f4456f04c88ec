"""Tools in Converse's shape, and the ways round what its `toolChoice` cannot say."""

from typing import Any

from msgspec import Struct

from service.bedrock.catalog.model import Model
from service.bedrock.wires.converse.messages import cache_point
from service.bedrock.words import choice_of, object_schema, offered, remembered
from service.generation import CachePoint, Request, Tool, ToolChoice

Json = dict[str, Any]

FORBIDDEN = "Answer without calling any tool."
"""Stands in the system prompt where a history needs its tools and the model has no word for "none"."""

_NOVA_SCHEMA = ("type", "properties", "required")


class Tools(Struct, frozen=True):
    """What the tools of a request come to: `toolConfig`, members for the model itself, a sentence for the system."""

    config: Json | None = None
    fields: Json = {}
    system: str | None = None


def tools(request: Request, model: Model) -> Tools:
    """Build what stands for a request's tools and its choice among them."""
    offer = list(request.tools) if offered(request) else []
    history = remembered(request)
    choice = choice_of(request)
    forbidden = choice is not None and choice.mode == "none"
    if not history and (forbidden or not offer):
        return Tools()
    config: Json = {"tools": [_tool(tool, model) for tool in offer or history]}
    claude = model.family == "claude_messages"
    if forbidden:
        return Tools(config, {"tool_choice": {"type": "none"}}) if claude else Tools(config, system=FORBIDDEN)
    if claude and request.parallel_tool_calls is False:
        return Tools(config, {"tool_choice": _claude_choice(choice) | {"disable_parallel_tool_use": True}})
    if choice is not None:
        config["toolChoice"] = {choice.mode: {"name": choice.name} if choice.mode == "tool" else {}}
    return Tools(config)


def _claude_choice(choice: ToolChoice | None) -> Json:
    if choice is None:
        return {"type": "auto"}
    return {"type": choice.mode} | ({"name": choice.name} if choice.name else {})


def _tool(tool: Tool | CachePoint, model: Model) -> Json:
    if isinstance(tool, CachePoint):
        return cache_point(tool)
    schema = object_schema(tool)
    spec: Json = {"name": tool.name, "inputSchema": {"json": nova_schema(schema) if model.family == "nova" else schema}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return {"toolSpec": spec}


def nova_schema(schema: Json) -> Json:
    """Reduce a schema to what Nova takes at its top, with the definitions written where they are used.

    Nova documents `type`, `properties` and `required` alone; `$defs` was refused as an extraneous key (reported).
    """
    definitions = schema.get("$defs") or schema.get("definitions") or {}
    top = {name: schema[name] for name in _NOVA_SCHEMA if name in schema}
    return {"properties": {}} | {name: _inlined(value, definitions, ()) for name, value in top.items()}


def _inlined(value: Any, definitions: Json, within: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_inlined(one, definitions, within) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return {name: _inlined(member, definitions, within) for name, member in value.items()}
    name = reference.rpartition("/")[2]
    if name in within or name not in definitions:  # a definition that holds itself: anything goes below here
        return {}
    beside = {key: member for key, member in value.items() if key != "$ref"}
    return {**_inlined(definitions[name], definitions, (*within, name)), **beside}
