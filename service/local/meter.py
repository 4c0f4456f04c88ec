"""Counts a request's tokens, and remembers which beginnings of requests have been cached."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from service.local.prompt import LocalPrompt, Media, Part, PromptCachePoint, PromptTool, PromptToolUse
from service.local.text import tokens

_A_MESSAGE = 4  # tokens around each
_IMAGE_BYTES = 750  # a token
_MOST_OF_AN_IMAGE = 1_600  # tokens
_LEAST_CACHED = 1_024  # tokens; shorter beginnings are not cached, and nothing says so
_KEPT = 1_000  # beginnings


class Counted(Struct, frozen=True):
    """A request's tokens."""

    fresh: int
    cache_read: int = 0
    cache_write: int = 0


def count(prompt: LocalPrompt) -> int:
    """Count a request's tokens, whatever is cached of them."""
    return sum(size for size, _ in _sections(prompt))


class TokenCounter:
    """Counts requests, and knows the beginnings it has seen."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def measure(self, prompt: LocalPrompt) -> Counted:
        """Count a request, and note what of it is cached from now on."""
        total = read = written = 0
        digest = sha256(prompt.model.id.encode())
        for size, said in _sections(prompt):
            if said is not None:
                total += size
                digest.update(said.encode(errors="replace"))
            elif total >= _LEAST_CACHED:
                key = digest.digest()
                if key in self._seen:
                    read = total
                written = total
                self._remember(key)
        return Counted(total - max(read, written), read, max(0, written - read))

    def _remember(self, key: bytes) -> None:
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)


def _sections(prompt: LocalPrompt) -> Iterator[tuple[int, str | None]]:
    """Yield the request's sections in the order in which they are cached; None in place of a cache point's text."""
    if prompt.counted:
        yield tokens.count(prompt.counted), prompt.counted
        return
    for tool in prompt.tools:
        said = _tool(tool)
        yield tokens.count(said), said
    if prompt.tools_cached:
        yield 0, None
    for part in prompt.system:
        yield _section(part)
    for turn in prompt.turns:
        yield _A_MESSAGE, turn.role
        for part in turn.parts:
            yield _section(part)
    if prompt.prefill:
        yield _A_MESSAGE + tokens.count(prompt.prefill), prompt.prefill


def _tool(tool: PromptTool) -> str:
    return f"{tool.name} {tool.description} {json.dumps(tool.schema, sort_keys=True)}"


def _section(part: Part) -> tuple[int, str | None]:
    match part:
        case PromptCachePoint():
            return 0, None
        case Media(kind="image"):
            return min(_MOST_OF_AN_IMAGE, 1 + part.size // _IMAGE_BYTES), f"{part.format}{part.size}"
        case Media():
            return tokens.count(part.text) or 1 + part.size // 4, f"{part.name}{part.size}{part.text}"
        case PromptToolUse():
            said = f"{part.name} {json.dumps(part.input, sort_keys=True)}"
            return tokens.count(said), said
        case _:
            return tokens.count(part.text), part.text
