"""How much a request may hold, whatever its format: looked at before anything is built of it.

The bounds are far beyond what a model reads and far below what holds up everybody else: a body of `MAX_BODY` that is
nothing but brackets would otherwise take seconds to be refused piece by piece.
"""

from collections.abc import Mapping
from typing import Any

from service.errors import FieldError, InvalidRequest
from service.json_depth import DEEPEST, TooDeep, values_of

MESSAGES = 10_000
BLOCKS = 1_000  # in one message
TOOLS = 512
STOP_SEQUENCES = 2_500  # Bedrock's own
VALUES = 300_000
"""JSON values in a body, names of members included; 10,000 messages of two blocks each come to about 140,000."""

NAME_LENGTH = 2048  # of a model; the longest ARNs have some 200 characters
_OWN_LEVELS = 8  # that a request has of itself above what a caller makes up: messages, content, a result's content

_LISTS = {"messages": MESSAGES, "input": MESSAGES, "tools": TOOLS}


def mistakes(body: Mapping[str, Any]) -> list[FieldError]:
    """Name the members that hold too much."""
    return [FieldError(named(name), why) for name, value in body.items() if (why := _too_much(name, value))] or (
        _all_together(body)
    )


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


def _all_together(body: Mapping[str, Any]) -> list[FieldError]:
    """Count everything, level by level; the member with which it becomes too much is named."""
    count = 0
    for name, value in body.items():
        try:
            for _ in values_of(value, DEEPEST + _OWN_LEVELS):
                count += 1
                if count > VALUES:
                    return [FieldError(named(name), f"with it the request holds more than {VALUES:,} values")]
        except TooDeep as error:
            return [FieldError(named(name), str(error))]
    return []


def named(name: str) -> str:
    """A member's name, as far as a name may be long; half a character in it is replaced."""
    return name[:NAME_LENGTH].encode(errors="replace").decode()
