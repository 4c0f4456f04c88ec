"""A key's ceiling: the most tokens that one of its answers may have."""

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
"""Names for the length of an answer, its container and the number of answers, without `_` and in small letters."""


def under(request: Request, ceiling: int | None, *, lower: bool) -> Request:
    """Hold a request to a ceiling: lowered to it, or refused where it asks for more.

    Raises:
        InvalidRequest: it asks for more, in `max_tokens` or in the model's own words.
    """
    if ceiling is None:
        return request
    for path in _own_words(request.extra, "extra"):
        raise _refusal(path, f"leave it out: this key has a ceiling of {ceiling} tokens; use max_tokens")
    asked = request.max_tokens
    if asked is not None and asked > ceiling and not lower:
        raise _refusal("max_tokens", f"this key's answers have at most {ceiling}")
    return structs.replace(request, max_tokens=ceiling if asked is None else min(asked, ceiling), bounded=True)


def _own_words(value: Any, path: str) -> Iterator[str]:
    """Find what `extra` says of an answer's length, past the request's own field."""
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        bare = str(name).replace("_", "").lower()
        replaces = bare in _CONTAINERS and not isinstance(member, dict)
        if bare in _LENGTHS or replaces or (bare in _NUMBERS and path == "extra"):
            yield f"{path}.{name}"
        yield from _own_words(member, f"{path}.{name}")


def _refusal(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}", [FieldError(field, message)])
