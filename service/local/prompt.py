"""A request as the local Bedrock understands it, whatever wire it came by."""

from typing import Any, Literal

from msgspec import Struct

from service.bedrock.catalog.resolution import Model


class PromptText(Struct, frozen=True, tag=True):
    """A piece of text."""

    text: str


class Media(Struct, frozen=True, tag=True):
    """An image, document, video or sound. `text` is what a document says, where it is plain text."""

    kind: Literal["image", "document", "video", "audio"]
    format: str
    size: int
    name: str = ""
    text: str = ""
    width: int = 0
    height: int = 0
    cited: bool = False


class PromptToolUse(Struct, frozen=True, tag=True):
    """A call that the model made earlier."""

    id: str
    name: str
    input: Any


class PromptToolResult(Struct, frozen=True, tag=True):
    """What a tool answered, as text."""

    id: str
    text: str
    is_error: bool = False


class Thought(Struct, frozen=True, tag=True):
    """Reasoning handed back."""

    text: str = ""
    signature: str = ""


class PromptCachePoint(Struct, frozen=True, tag=True):
    """Everything before it may be cached."""


Part = PromptText | Media | PromptToolUse | PromptToolResult | Thought | PromptCachePoint


class PromptTurn(Struct, frozen=True):
    """One message."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text of the message, without anything else."""
        return "".join(part.text for part in self.parts if isinstance(part, PromptText))


class PromptTool(Struct, frozen=True):
    """A tool that may be called. `server`: the local Bedrock runs it itself."""

    name: str
    description: str
    schema: dict[str, Any]
    server: bool = False


class PromptGuardrail(Struct, frozen=True):
    """A guardrail to apply."""

    id: str
    version: str
    trace: bool = False


class LocalPrompt(Struct, frozen=True):
    """What is asked of a model. `prefill` is the beginning of the answer, which goes on from it.

    `choice`: `auto`, `any`, `none`, or the name of a tool after `tool:`.
    """

    model: Model
    turns: tuple[PromptTurn, ...]
    max_tokens: int
    system: tuple[Part, ...] = ()
    tools: tuple[PromptTool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    stop_sequences: tuple[str, ...] = ()
    reasoning: bool = False
    prefill: str = ""
    schema: dict[str, Any] | None = None
    guardrail: PromptGuardrail | None = None
    tools_cached: bool = False
    counted: str = ""
    """What the input tokens are counted from, where it is not the turns: a raw prompt."""
    lead: str = ""
    """The white space with which this family's answers begin (recorded)."""
    thought: str = ""
    """The reasoning so far, where a raw prompt holds some."""

    @property
    def system_text(self) -> str:
        """The system prompt as one text."""
        return "\n".join(part.text for part in self.system if isinstance(part, PromptText))

    @property
    def last(self) -> PromptTurn:
        """The message to answer."""
        return self.turns[-1] if self.turns else PromptTurn("user", ())

    @property
    def asked(self) -> str:
        """The newest words of the user."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user" and turn.text.strip()), "")
