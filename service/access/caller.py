"""The owner of a request's key, and its permissions."""

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

Scope = Literal["generate", "read", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = ("generate", "read", "admin", "metrics")


class Caller(Struct, frozen=True):
    """A key's owner. A limit that is None is unlimited.

    `models` are shell patterns (`*` and `?`) over model ids and the names that clients use for them.
    """

    id: str
    scopes: tuple[Scope, ...] = SCOPES
    models: tuple[str, ...] = ("*",)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    streams: int | None = None  # concurrent generations
    max_tokens: int | None = None  # of one answer

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope; `admin` includes all others."""
        return scope in self.scopes or "admin" in self.scopes

    def may_use(self, *names: str) -> bool:
        """Whether the key may call a model that has any of these names."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.models)


ANONYMOUS = Caller("anonymous", scopes=("generate", "read", "metrics"))
"""The caller of all requests if no keys are configured."""

UNKNOWN = Caller("", scopes=(), models=())
"""The caller of a request without a key to a public route if keys are configured."""
