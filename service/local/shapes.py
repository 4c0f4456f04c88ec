"""Validates JSON bodies against typed structs, and formats errors as the validators behind Bedrock do."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from service.local.refusal import LocalRefusal

T = TypeVar("T")
ErrorFormat = Callable[[str, str], str]
"""Formats an error message from a path (`messages.0.content`) and msgspec's message."""

_TYPES = {
    "int": "Integer", "float": "Number", "str": "String", "bool": "Boolean",
    "array": "JSONArray", "object": "JSONObject", "null": "Null",
}  # fmt: skip
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_TYPE = re.compile(r"Expected `(.*)`, got `(.*)`")
_RANGE = re.compile(r"Expected `(.*?)`(?: of length)? (>=|<=|>|<) (\S+)")
_RELATIONS = {
    ">=": "not greater or equal to", "<=": "not less or equal to", ">": "not greater than", "<": "not less than",
}  # fmt: skip


def read(body: object, shape: type[T], format_error: ErrorFormat) -> T:
    """Read a body as `shape`.

    Raises:
        LocalRefusal: the body is invalid; `format_error` writes the message.
    """
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$")
        path = re.sub(r"\[(\d+)\]", r".\1", place.rstrip("`")).replace("[...]", "").strip(".")
        raise LocalRefusal(format_error(path, sentence)) from error


def format_schema_error(path: str, sentence: str) -> str:
    """Format an error as Bedrock's JSON schema validator does, for Nova, Titan and the older families (reported)."""
    place = "#/" + path.replace(".", "/") if path else "#"
    if found := _UNKNOWN.fullmatch(sentence):
        what = f"{place}: extraneous key [{found[1]}] is not permitted"
    elif found := _MISSING.fullmatch(sentence):
        what = f"{place}: required key [{found[1]}] not found"
    elif found := _TYPE.fullmatch(sentence):
        what = f"{place}: expected type: {_type_names(found[1])}, found: {_type_names(found[2])}"
    elif found := _RANGE.fullmatch(sentence):
        what = f"{place}: value is {_RELATIONS[found[2]]} {found[3]}"
    else:
        what = f"{place}: {sentence}"
    return f"Malformed input request: {what}, please reformat your input and try again."


def format_anthropic_error(path: str, sentence: str) -> str:
    """Format an error as Anthropic's validator does."""
    if found := _UNKNOWN.fullmatch(sentence):
        return f"{_join(path, found[1])}: Extra inputs are not permitted"
    if found := _MISSING.fullmatch(sentence):
        return f"{_join(path, found[1])}: Field required"
    if found := _TYPE.fullmatch(sentence):
        return f"{path}: Input should be a valid {_type_names(found[1]).removeprefix('JSON').lower()}"
    if found := _RANGE.fullmatch(sentence):
        relation = {">=": "greater than or equal to", "<=": "less than or equal to"}.get(found[2], found[2])
        return f"{path}: Input should be {relation} {found[3]}"
    return f"{path}: {sentence}" if path else sentence


def format_converse_error(path: str, sentence: str) -> str:
    """Format an error for Converse, which validates its members before it calls a model."""
    place = re.sub(r"\.(\d+)", r".\1", path) or "the request"
    if found := _UNKNOWN.fullmatch(sentence):
        return f"The member {_join(path, found[1])} is not known. Remove it and try again."
    if found := _MISSING.fullmatch(sentence):
        return f"The member {_join(path, found[1])} is required. Add it and try again."
    return f"The value at {place} is not valid: {sentence.replace('`', '')}."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_names(types: str) -> str:
    names = [_TYPES.get(kind.strip(), kind.strip()) for kind in types.split("|")]
    return " | ".join(name for name in names if name != "Null") or "Null"
