"""A key's limit on the tokens of one answer."""

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from service.errors import FieldError, InvalidRequest
from service.generation import Request

_LENGTHS = frozenset(
    {
        "maxtokens",
        "maxtokencount",
        "maxtokenstosample",
        "maxgenlen",
        "maxnewtokens",
        "maxcompletiontokens",
        "maxoutputtokens",
        "maxlength",
    }
)
_CONTAINERS = frozenset({"inferenceconfig", "textgenerationconfig"})
_NUMBERS = frozenset({"n", "bestof", "numresults", "numgenerations", "candidatecount"})
"""Names of an answer's length, its container and the number of answers, without `_` and in lower case."""


def apply(request: Request, ceiling: int | None, *, lower: bool) -> Request:
    """Apply a key's limit to a request: lower `max_tokens` to it, or refuse a request for more.

    Raises:
        InvalidRequest: the request asks for more, in `max_tokens` or in `extra`.
    """
    if ceiling is None:
        return request
    for path in _length_members(request.extra, "extra"):
        raise _refusal(path, f"must be left out: this key is limited to {ceiling} tokens an answer; use max_tokens")
    requested = request.max_tokens
    if requested is not None and requested > ceiling and not lower:
        raise _refusal("max_tokens", f"must be at most {ceiling} for this key")
    return structs.replace(request, max_tokens=ceiling if requested is None else min(requested, ceiling), bounded=True)


def _length_members(value: Any, path: str) -> Iterator[str]:
    """Find members of `extra` that set an answer's length instead of `max_tokens`."""
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        bare = str(name).replace("_", "").lower()
        replaces = bare in _CONTAINERS and not isinstance(member, dict)
        if bare in _LENGTHS or replaces or (bare in _NUMBERS and path == "extra"):
            yield f"{path}.{name}"
        yield from _length_members(member, f"{path}.{name}")


def _refusal(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}", [FieldError(field, message)])
