"""How many messages, blocks, tools and stop sequences a request may hold, whatever its format.

The bounds are far beyond what a model reads. They are checked before a request is built; how many values a body may
hold in all is checked before its JSON is parsed (`structure`).
"""

from collections.abc import Mapping
from typing import Any

from service.errors import FieldError, InvalidRequest

MESSAGES = 10_000
BLOCKS = 1_000  # in one message
TOOLS = 512
STOP_SEQUENCES = 2_500  # Bedrock's own

NAME_LENGTH = 2048  # of a model; the longest ARNs have some 200 characters

_LISTS = {"messages": MESSAGES, "input": MESSAGES, "tools": TOOLS}


def mistakes(body: Mapping[str, Any]) -> list[FieldError]:
    """Name the members that hold too much."""
    return [FieldError(named(name), why) for name, value in body.items() if (why := _too_much(name, value))]


def check(body: object) -> None:
    """Refuse a body that holds too much.

    Raises:
        InvalidRequest: it names the fields; status 400.
    """
    if isinstance(body, Mapping) and (found := mistakes(body)):
        raise InvalidRequest("; ".join(f"{one.field}: {one.message}" for one in found), found, status=400)


def _too_much(name: str, value: Any) -> str | None:
    if isinstance(value, list) and name in _LISTS and len(value) > _LISTS[name]:
        return f"holds more than {_LISTS[name]:,} entries"
    if name in {"messages", "input"} and isinstance(value, list) and any(map(_is_crowded, value)):
        return f"holds a message of more than {BLOCKS:,} blocks"
    if name in {"content", "system"} and isinstance(value, list) and len(value) > BLOCKS:
        return f"holds more than {BLOCKS:,} blocks"
    return None


def _is_crowded(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and len(content) > BLOCKS


def named(name: str) -> str:
    """A member's name, as far as a name may be long; half a character in it is replaced."""
    return name[:NAME_LENGTH].encode(errors="replace").decode()
