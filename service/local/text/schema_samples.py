"""Makes a value that satisfies a JSON Schema from the words and numbers of a prompt."""

import re
from typing import Any

from service.local.text import intent

_MAX_DEPTH = 8
_FORMATS = {
    "date": "2026-11-22", "date-time": "2026-11-22T09:30:00Z", "time": "09:30:00Z", "email": "reader@example.org",
    "uri": "https://example.org/", "url": "https://example.org/", "uuid": "5f0c3a52-9d0e-4b43-9a39-0d6f3c1b2a77",
    "hostname": "example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "duration": "PT1H",
}  # fmt: skip
_QUOTED = re.compile(r"[\"“„«]([^\"”“»]{1,80})[\"”»]")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b([A-Z][\w'-]+(?: [A-Z][\w'-]+)*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TOPICAL = re.compile(r"query|question|text|prompt|message|search|topic|subject|content|description|reason")


class Material:
    """The words and numbers of a prompt. `turn` selects other ones for the second of two parallel calls."""

    def __init__(self, text: str, turn: int = 0) -> None:
        self._text = text
        self._turn = turn
        self._words = intent.read_intent(text).words
        self._names = _NAME.findall(text.replace("\n", " "))
        self._quoted = _QUOTED.findall(text)
        self._numbers = [float(number) for number in _NUMBER.findall(text)]
        self._used = 0

    @property
    def names(self) -> list[str]:
        """The quoted texts, or else the capitalised names."""
        return self._quoted or self._names

    def string(self, name: str) -> str:
        """Return a text for a property of that name."""
        if name and (found := re.search(rf"\b{re.escape(name)}\b(?:\s*[:=]\s*|\s+is\s+)[\"“]?([\w.@/-]+)", self._text)):
            return found[1]
        if _TOPICAL.search(name.lower()):
            return " ".join(self._text.split())[:200] or "water"
        choices = self.names or [word for word in self._words if word.lower() != name.lower()] or ["water"]
        return choices[self._turn % len(choices)]

    def number(self) -> float | None:
        """Return the next number of the prompt; None after the last one."""
        if self._used < len(self._numbers):
            self._used += 1
            return self._numbers[self._used - 1]
        return None

    def mentions(self, word: object) -> bool:
        """Return whether the prompt contains this word."""
        parts = [part for part in re.split(r"[_\W]+", str(word).lower()) if part]
        return bool(parts) and all(part in self._text.lower() for part in parts)


def sample(schema: object, material: Material, name: str = "") -> Any:
    """Make a value for `schema`; `name` is the property it is for."""
    root = schema if isinstance(schema, dict) else {}
    return _value(root, root, material, name, 0)


def _value(schema: Any, root: dict[str, Any], material: Material, name: str, depth: int) -> Any:
    schema = _resolve(schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return next((choice for choice in choices if material.mentions(choice)), choices[0])
    for several in ("anyOf", "oneOf"):
        if options := schema.get(several):
            rest = {key: value for key, value in schema.items() if key != several}
            return _value({**rest, **_resolve(options[0], root, depth)}, root, material, name, depth + 1)
    match _kind(schema):
        case "object":
            return _object(schema, root, material, depth)
        case "array":
            return _array(schema, root, material, name, depth)
        case "integer":
            return int(_number(schema, material, whole=True))
        case "number":
            return _number(schema, material, whole=False)
        case "boolean":
            return not re.search(r"\b(no|not|never|without)\b", material.string(name), re.IGNORECASE)
        case "null":
            return None
        case _:
            return _string(schema, material, name)


def _resolve(schema: Any, root: dict[str, Any], depth: int) -> dict[str, Any]:
    """Resolve a reference and merge the schemas of `allOf`."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return {"type": "null"} if depth > _MAX_DEPTH else {}
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for step in reference.split("/")[1:]:
            target = target.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    merged: dict[str, Any] = schema
    for part in schema.get("allOf", ()):
        other = _resolve(part, root, depth + 1)
        properties = {**merged.get("properties", {}), **other.get("properties", {})}
        required = [*merged.get("required", ()), *other.get("required", ())]
        merged = {**merged, **other, "properties": properties, "required": required}
        merged = {key: value for key, value in merged.items() if value or key not in {"properties", "required"}}
    return merged


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind:
        return str(kind)
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _object(schema: dict[str, Any], root: dict[str, Any], material: Material, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    wanted = [name for name in properties if name in required or material.mentions(name)]
    wanted += [name for name in required if name not in properties]
    if not wanted and depth < 2:  # noqa: PLR2004 some arguments for a tool without required ones
        wanted = list(properties)[:2]
    return {name: _value(properties.get(name, {}), root, material, name, depth + 1) for name in wanted}


def _array(schema: dict[str, Any], root: dict[str, Any], material: Material, name: str, depth: int) -> list[Any]:
    least = int(schema.get("minItems", 1))
    most = int(schema.get("maxItems", max(least, 2)))
    items = schema.get("items", {})
    if depth >= _MAX_DEPTH:
        return []
    count = min(max(least, len(material.names) if _kind(items) == "string" else least), most)
    values: list[Any] = []
    for turn in range(max(count, least)):
        value = _value(
            items, root, Material(" ".join(material.names), turn) if material.names else material, name, depth + 1
        )
        if schema.get("uniqueItems") and value in values:
            if isinstance(value, str):
                value = f"{value} {turn + 1}"
            elif isinstance(value, int | float):
                value += turn
        values.append(value)
    return values


def _number(schema: dict[str, Any], material: Material, *, whole: bool) -> float:
    step = schema.get("multipleOf") or (1 if whole else 0)
    low, high = schema.get("minimum"), schema.get("maximum")
    distance = step or 0.5
    if (bound := schema.get("exclusiveMinimum")) is not None and bound is not True:
        low = bound + distance
    if (bound := schema.get("exclusiveMaximum")) is not None and bound is not True:
        high = bound - distance
    value = material.number()
    if value is None:
        value = float(schema.get("default") or (low if low is not None else 7 if high is None else min(7, high)))
    value = min(max(value, low if low is not None else value), high if high is not None else value)
    if step:
        value = (value // step) * step
        if low is not None and value < low:
            value += step
    return int(value) if value == int(value) else round(value, 6)


def _string(schema: dict[str, Any], material: Material, name: str) -> str:
    if value := _FORMATS.get(schema.get("format", "")):
        return value
    value = material.string(name)
    if (pattern := schema.get("pattern")) and not _matches(pattern, value):
        value = write_match(pattern)
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if len(value) < least:
        value = (value or "w") + "." * (least - len(value or "w"))
    return value if most is None else value[: int(most)]


def _matches(pattern: str, value: str) -> bool:
    """Return whether a value certainly matches. A client's pattern that can backtrack for long is not tried."""
    if "(" in pattern or sum(map(pattern.count, "*+?{")) > _MAX_REPEATS:
        return False
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


_MAX_REPEATS = 2  # each one multiplies the steps by the value's 200 characters
_MAX_LENGTH = 1000  # characters of a value
_ATOM = re.compile(r"\\[dwsDWS]|\\.|\[(?:\\.|[^\]\\])+\]|\((?:\?:)?[^()]*\)|[^\\\[\]()^$]")
_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}|[*?+]")


def write_match(pattern: str) -> str:
    """Write a text that matches a simple pattern: classes, groups of alternatives, repetitions."""
    text, at, plain = "", 0, pattern.strip("^$")
    while found := _ATOM.match(plain, at):
        at = found.end()
        repeat = _REPEAT.match(plain, at)
        times = 1
        if repeat:
            at = repeat.end()
            times = int(repeat[1]) if repeat[1] else 1 if repeat[0] == "+" else 0
        text += _match_atom(found[0]) * min(times, _MAX_LENGTH)
        if len(text) >= _MAX_LENGTH:
            break
    return text[:_MAX_LENGTH]


def _match_atom(atom: str) -> str:
    if atom.startswith("("):
        return write_match(atom.strip("()").removeprefix("?:").split("|")[0])
    if atom.startswith("["):
        first = atom[1:-1]
        return "-" if first.startswith("^") else _match_atom(first[:2]) if first.startswith("\\") else first[0]
    return {"\\d": "4", "\\w": "w", "\\s": " ", ".": "w"}.get(atom, atom[-1])
