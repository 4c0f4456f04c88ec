"""The list of models as OpenAPI describes it."""

from typing import Literal

from service.dialects.shapes import WireShape


class ModelCard(WireShape):
    """One model: OpenAI's members and Anthropic's side by side."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["model"]
    display_name: str
    created_at: str
    lifecycle: Literal["active"]
    max_input_tokens: int | None
    max_tokens: int | None


class ModelCards(WireShape):
    """A page of models."""

    object: Literal["list"]
    data: list[ModelCard]
    has_more: bool
    first_id: str | None
    last_id: str | None
