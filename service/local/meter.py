"""Counts the tokens of requests and keeps the prompt cache: the prefixes of earlier requests up to a cache point."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from service.local.prompt import LocalPrompt, Media, Part, PromptCachePoint, PromptToolUse
from service.local.text import tokens

_MESSAGE_TOKENS = 4  # the overhead of each message
_IMAGE_BYTES = 750  # per token
_MAX_IMAGE_TOKENS = 1_600
_MIN_CACHED_TOKENS = 1_024  # shorter prefixes are not cached, without an error
_MAX_PREFIXES = 1_000


class InputTokens(Struct, frozen=True):
    """The input tokens of a request."""

    fresh: int
    cache_read: int = 0
    cache_write: int = 0


def count_tokens(prompt: LocalPrompt) -> int:
    """Count a request's tokens, cached or not."""
    return sum(size for size, _ in _sections(prompt))


class TokenCounter:
    """Counts the tokens of requests and stores the prefixes that are cached."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def measure(self, prompt: LocalPrompt) -> InputTokens:
        """Count a request's tokens and add its prefixes to the cache."""
        total = read = written = 0
        digest = sha256(prompt.model.id.encode())
        for size, text in _sections(prompt):
            if text is not None:
                total += size
                digest.update(text.encode(errors="replace"))
            elif total >= _MIN_CACHED_TOKENS:
                key = digest.digest()
                if key in self._seen:
                    read = total
                written = total
                self._seen[key] = None
                self._seen.move_to_end(key)
                if len(self._seen) > _MAX_PREFIXES:
                    self._seen.popitem(last=False)
        return InputTokens(total - max(read, written), read, max(0, written - read))


def _sections(prompt: LocalPrompt) -> Iterator[tuple[int, str | None]]:
    """Yield the tokens and the text of each section in cache order; the text of a cache point is None."""
    if prompt.raw_text:
        yield tokens.count(prompt.raw_text), prompt.raw_text
        return
    for tool in prompt.tools:
        text = f"{tool.name} {tool.description} {json.dumps(tool.schema, sort_keys=True)}"
        yield tokens.count(text), text
    if prompt.tools_cached:
        yield 0, None
    for part in prompt.system:
        yield _section(part)
    for turn in prompt.turns:
        yield _MESSAGE_TOKENS, turn.role
        for part in turn.parts:
            yield _section(part)
    if prompt.prefill:
        yield _MESSAGE_TOKENS + tokens.count(prompt.prefill), prompt.prefill


def _section(part: Part) -> tuple[int, str | None]:
    match part:
        case PromptCachePoint():
            return 0, None
        case Media(kind="image"):
            return min(_MAX_IMAGE_TOKENS, 1 + part.size // _IMAGE_BYTES), f"{part.format}{part.size}"
        case Media():
            return tokens.count(part.text) or 1 + part.size // 4, f"{part.name}{part.size}{part.text}"
        case PromptToolUse():
            text = f"{part.name} {json.dumps(part.input, sort_keys=True)}"
            return tokens.count(text), text
        case _:
            return tokens.count(part.text), part.text
