"""A request in the local Bedrock's own form, independent of the API."""

from typing import Any, Literal

from msgspec import Struct

from service.bedrock.catalog.resolution import Model


class PromptText(Struct, frozen=True, tag=True):
    """A piece of text."""

    text: str


class Media(Struct, frozen=True, tag=True):
    """An image, document, video or sound. `text`: the content of a plain text document."""

    kind: Literal["image", "document", "video", "audio"]
    format: str
    size: int
    name: str = ""
    text: str = ""
    width: int = 0
    height: int = 0
    cited: bool = False


class PromptToolUse(Struct, frozen=True, tag=True):
    """An earlier tool call of the model."""

    id: str
    name: str
    input: Any


class PromptToolResult(Struct, frozen=True, tag=True):
    """The result of a tool call, as text."""

    id: str
    text: str
    is_error: bool = False


class PromptReasoning(Struct, frozen=True, tag=True):
    """Reasoning of an earlier answer that the client sent back."""

    text: str = ""
    signature: str = ""


class PromptCachePoint(Struct, frozen=True, tag=True):
    """Everything before it may be cached."""


Part = PromptText | Media | PromptToolUse | PromptToolResult | PromptReasoning | PromptCachePoint


class PromptTurn(Struct, frozen=True):
    """One message."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text of the message, without its other parts."""
        return "".join(part.text for part in self.parts if isinstance(part, PromptText))


class PromptTool(Struct, frozen=True):
    """A tool. `server`: the local Bedrock runs it."""

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
    """A request to a model. `prefill`: the beginning of the answer, which the model continues.

    `choice`: `auto`, `any`, `none`, or `tool:` and the name of a tool.
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
    raw_text: str = ""
    """The raw prompt, from which the input tokens are counted; empty: they are counted from the turns."""
    leading_space: str = ""
    """The white space at the start of this family's answers (recorded)."""
    reasoning_so_far: str = ""
    """The incomplete reasoning at the end of a raw prompt."""

    @property
    def system_text(self) -> str:
        """The system prompt as one text."""
        return "\n".join(part.text for part in self.system if isinstance(part, PromptText))

    @property
    def last(self) -> PromptTurn:
        """The message to answer."""
        return self.turns[-1] if self.turns else PromptTurn("user", ())

    @property
    def question(self) -> str:
        """The user's last text."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user" and turn.text.strip()), "")
