"""What may be said to `/api/conversations`: strict, and clear about what is wrong with it."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from service.conversations.values import Json
from service.dialects import bounds
from service.dialects.native.request import (
    CachePointBlock,
    DocumentBlock,
    ImageBlock,
    Parameters,
    RawBody,
    TextBlock,
    ToolResultBlock,
)
from service.dialects.native.values import MessageCount, Said

MAX_MESSAGES = 10
"""Messages of the history that the model is shown, where a conversation does not say."""

Title = Annotated[Said, Field(max_length=200)]
ModelId = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[^\x00-\x20]+$")]
Block = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ToolResultBlock | CachePointBlock, Field(discriminator="type")
]


class NewConversation(RawBody):
    """The body of `POST /api/conversations`; all of it may be left out."""

    title: Title | None = Field(default=None, description="Made from the first message where it is absent")
    system: Said | None = None
    model_id: ModelId | None = None
    max_messages: MessageCount = Field(default=MAX_MESSAGES, description="How many messages the model is shown")


class Changes(RawBody):
    """The body of `PATCH /api/conversations/{id}`: what it names is changed, null empties."""

    title: Title | None = None
    system: Said | None = None
    model_id: ModelId | None = None
    max_messages: MessageCount = MAX_MESSAGES


class Send(Parameters):
    """The body of `POST /api/conversations/{id}/messages`: a message, and the parameters of generate."""

    content: Said | Annotated[list[Block], Field(min_length=1, max_length=bounds.BLOCKS)] | None = Field(
        default=None, description="What the user says: text, or blocks"
    )
    replaces: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{32}$",
        description="A message of the user's that is said anew: it goes, with all that follows. Without `content` it "
        "is said again as it was",
    )
    store: Literal[True] = True

    @field_validator("store", mode="before")
    @classmethod
    def _kept(cls, value: object) -> object:
        if value is False:
            raise ValueError("must be true: a conversation is kept; POST /api/generate keeps nothing")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and self.replaces is None:
            raise ValueError("content: is needed (or replaces, to say a message again)")
        return self

    def blocks(self) -> list[Json] | None:
        """The content as blocks, or None where an earlier message is said again."""
        if self.content is None:
            return None
        if isinstance(self.content, str):
            return [{"type": "text", "text": self.content}]
        return [block.model_dump(mode="json", exclude_unset=True) for block in self.content]
