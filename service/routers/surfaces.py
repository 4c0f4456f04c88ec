"""The surfaces made for other people's clients: which paths are whose, and in whose words their errors are told."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from service.dialects import anthropic_messages, openai_chat
from service.errors import ServiceError

Surface = Literal["anthropic", "openai"]
Telling = tuple[int, dict[str, Any], dict[str, str]]

_MESSAGES = "/v1/messages"


def surface_of(path: str, headers: Mapping[str, str]) -> Surface | None:
    """Tell whose clients a request comes from; None: it is native. Both ask for `/v1/models`, each with its headers."""
    if not path.startswith("/v1/"):
        return None
    if path == _MESSAGES or path.startswith(f"{_MESSAGES}/") or "anthropic-version" in headers:
        return "anthropic"
    return "openai"


def tell(surface: Surface, error: ServiceError, request_id: str | None) -> Telling:
    """Tell an error in a surface's own words: status, body, headers."""
    return _TELL[surface](error, request_id=request_id)


_TELL: dict[Surface, Callable[..., Telling]] = {"anthropic": anthropic_messages.error, "openai": openai_chat.error}
