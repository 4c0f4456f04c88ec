"""The member of every family's body that configures its guardrail."""

from typing import Literal

from msgspec import Struct

from service.local import shapes
from service.local.prompt import PromptGuardrail
from service.local.refusal import LocalRefusal

_MEMBER = "amazon-bedrock-guardrailConfig"


class GuardrailMember(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The tag of the text to check, and whether the stream waits for the guardrail."""

    tag_suffix: str = ""
    stream_processing_mode: Literal["SYNCHRONOUS", "ASYNCHRONOUS"] = "SYNCHRONOUS"


def split(body: object) -> tuple[object, object]:
    """Split the member from a body."""
    if not isinstance(body, dict) or _MEMBER not in body:
        return body, None
    return {name: value for name, value in body.items() if name != _MEMBER}, body[_MEMBER]


def check_guardrail(config: object, guardrail: PromptGuardrail | None) -> None:
    """Check the member.

    Raises:
        LocalRefusal: the member is malformed, or the headers do not name a guardrail.
    """
    if config is None:
        return
    shapes.read(config, GuardrailMember, shapes.format_schema_error)
    if guardrail is None:
        raise LocalRefusal(f"{_MEMBER} is only permitted with a guardrail; name one in the headers.")
