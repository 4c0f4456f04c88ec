"""Who asks: the key behind a request, and what it may do."""

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

Scope = Literal["generate", "read", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = ("generate", "read", "admin", "metrics")


class Caller(Struct, frozen=True):
    """A key's owner. None where a key knows no bound.

    `models` are patterns of shells (`*` and `?`) over model ids and the names clients use for them.
    """

    id: str
    scopes: tuple[Scope, ...] = SCOPES
    models: tuple[str, ...] = ("*",)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    streams: int | None = None  # generations at once
    max_tokens: int | None = None  # of one answer

    def may(self, scope: Scope) -> bool:
        """Whether the key holds a scope; `admin` holds every other."""
        return scope in self.scopes or "admin" in self.scopes

    def may_use(self, *names: str) -> bool:
        """Whether the key may call a model that goes by any of these names."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.models)


ANONYMOUS = Caller("anonymous", scopes=("generate", "read", "metrics"))
"""Everybody, where there are no keys."""

NOBODY = Caller("", scopes=(), models=())
"""Whoever asks without a key for what is open, where there are keys."""
