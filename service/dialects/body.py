"""Other people's request bodies: read leniently, and refused with the name of the field.

The formats of others are lenient where the native one is strict: a member that nobody reads is passed over and named. A
mistake in what is read is an `InvalidRequest` of status 400 that names the field and never repeats its value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from service.dialects import bounds
from service.dialects.media import Names
from service.dialects.refusal import wrong
from service.errors import InvalidRequest
from service.generation import Block, CachePoint, Message, Text

Json = dict[str, Any]
T = TypeVar("T", bound=Struct)
ModelName = Annotated[str, Meta(max_length=bounds.NAME_LENGTH)]
Stops = Annotated[list[str], Meta(max_length=bounds.STOP_SEQUENCES)]

TTLS = frozenset({"5m", "1h"})
"""What Bedrock's cache points may ask for; anything else is left to its default."""

_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")  # the pattern and length of Converse's `requestMetadata`
_METADATA_ENTRIES = 16
_NAME_LENGTH, _MOST_NAMED = 128, 128  # of what is passed over: it is kept with the stream


def read(body: object, shape: type[T], *, at: str = "") -> T:
    """Read a body, or the part of one that stands `at` a field; members that the shape lacks are passed over.

    Raises:
        InvalidRequest: the body does not have the shape.
    """
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as exc:
        raise _explained(str(exc), at) from None


_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


def _explained(sentence: str, at: str) -> InvalidRequest:
    """Turn msgspec's sentence into ours; it names types and paths, never a value."""
    found = _AT.match(sentence)
    what, path = (found["what"], found["path"] or "") if found else (sentence, "")
    field = f"{at}.{path}".replace("[", ".").replace("]", "").replace("..", ".").strip(".")
    if missing := _MISSING.match(what):
        field = f"{field}.{missing['name']}" if field else missing["name"]
        return wrong(field, "This field is required.")
    return wrong(field, f"{what}.".replace("`", "").replace(" | null", ""))


def passed_over(body: Mapping[str, Any], shape: type[Struct]) -> list[str]:
    """Name the members of a body that its shape does not read, the first of them and as far as a name may be long."""
    names = (name for name, value in body.items() if value is not None and name not in shape.__struct_fields__)
    return [name[:_NAME_LENGTH] for name in islice(names, _MOST_NAMED)]


def at_least(value: float | None, least: float, field: str) -> None:
    """Refuse a number below its least value."""
    if value is not None and not value >= least:
        raise wrong(field, f"This must be {least} or more.")


def metadata(given: Mapping[str, Any] | None, dropped: list[str]) -> dict[str, str]:
    """Keep the metadata that Bedrock takes, and name what it would refuse."""
    kept: dict[str, str] = {}
    for key, value in (given or {}).items():
        fits = isinstance(value, str) and _METADATA.fullmatch(key) and _METADATA.fullmatch(value)
        if fits and len(kept) < _METADATA_ENTRIES:
            kept[key] = value
        elif len(dropped) < 2 * _MOST_NAMED:
            dropped.append(f"metadata.{key[:_NAME_LENGTH]}")
    return kept


def stop_sequences(given: Sequence[str], dropped: list[str], field: str) -> tuple[str, ...]:
    """Keep the stop sequences that hold more than white space: Claude refuses the others."""
    kept = tuple(sequence for sequence in given if sequence.strip())
    if len(kept) < len(given):
        dropped.append(field)
    return kept


class TurnCollector:
    """Collects messages; neighbours of one role become one turn, as the results of parallel calls must."""

    def __init__(self) -> None:
        self._turns: list[tuple[str, list[Block]]] = []

    def add(self, role: str, blocks: Iterable[Block]) -> None:
        """Add to the conversation; nothing said is no turn."""
        said = list(blocks)
        if not any(not isinstance(block, CachePoint) for block in said):
            return
        if self._turns and self._turns[-1][0] == role:
            self._turns[-1][1].extend(said)
        else:
            self._turns.append((role, said))

    def mark(self, point: CachePoint) -> None:
        """Let everything so far be cached."""
        if self._turns:
            self._turns[-1][1].append(point)

    def messages(self, system: list[Text | CachePoint]) -> tuple[Message, ...]:
        """Build the turns. Where only the system has spoken, its words become the user's: Bedrock wants a message.

        Raises:
            InvalidRequest: nobody has spoken.
        """
        if not self._turns:
            self.add("user", system)
            system.clear()
        if not self._turns:
            raise wrong("messages", "There must be a message that says something.")
        names = Names()
        return tuple(
            Message(role="assistant" if role == "assistant" else "user", content=tuple(map(names.apart, blocks)))
            for role, blocks in self._turns
        )


def spoken(text: str) -> Iterable[Text]:
    """Give a text as a block, or nothing where it is blank: Bedrock refuses blank ones."""
    return (Text(text),) if text.strip() else ()
