"""The one member that every family's body may carry: how its guardrail is to work."""

from typing import Literal

from msgspec import Struct

from service.local import shapes
from service.local.prompt import PromptGuardrail
from service.local.refusal import LocalRefusal

_MEMBER = "amazon-bedrock-guardrailConfig"


class GuardrailMember(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How a guardrail finds what to check, and whether the stream waits for it."""

    tag_suffix: str = ""
    stream_processing_mode: Literal["SYNCHRONOUS", "ASYNCHRONOUS"] = "SYNCHRONOUS"


def split(body: object) -> tuple[object, object]:
    """Take the member out of a body."""
    if not isinstance(body, dict) or _MEMBER not in body:
        return body, None
    return {name: value for name, value in body.items() if name != _MEMBER}, body[_MEMBER]


def check_guardrail(config: object, guardrail: PromptGuardrail | None) -> None:
    """Check what was taken out.

    Raises:
        LocalRefusal: it is malformed, or no guardrail is named in the headers.
    """
    if config is None:
        return
    shapes.read(config, GuardrailMember, shapes.format_schema_error)
    if guardrail is None:
        raise LocalRefusal(f"{_MEMBER} is only permitted with a guardrail; name one in the headers.")
