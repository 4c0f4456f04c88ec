"""The native request: strict, and clear about what is wrong with it."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from service import generation
from service.dialects import bounds, media_types
from service.dialects.native.values import Base64, Characters, Count, CountOrZero, Object, Said

DEFAULT_MAX_TOKENS = 500
_MOST_MISTAKES = 1000
_MEDIA_TYPE = r"^[a-z0-9.+-]+/[a-z0-9.+-]+$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _empty(kind: type[list[Any]] | type[dict[str, Any]], **said: Any) -> Any:
    """Describe a field that is empty where it is absent.

    Of a default pydantic makes a deep copy for each request, 97 bytecodes each (pydantic 2.14); a factory costs none.
    """
    return Field(default_factory=kind, json_schema_extra={"default": kind()}, **said)


ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
ToolUseId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]{1,64}$")]


class TextBlock(_Strict):
    """A piece of text; `citations`, as answers have them, may be handed back and are passed over."""

    type: Literal["text"]
    text: Said
    citations: list[Object] | None = None

    def value(self) -> generation.Text:
        """Put it in our terms."""
        return generation.Text(self.text)


class ImageBlock(_Strict):
    """An image."""

    type: Literal["image"]
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: Base64

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if wrong := media_types.not_that_image(self.media_type, self.data):
            raise ValueError(f"data: {wrong}")
        return self

    def value(self) -> generation.Image:
        """Put it in our terms."""
        return generation.Image(self.media_type, self.data)


class DocumentBlock(_Strict):
    """A document."""

    type: Literal["document"]
    media_type: str = Field(pattern=_MEDIA_TYPE)
    data: Base64
    name: Characters = Field(default="document", min_length=1, max_length=200)

    def value(self) -> generation.Document:
        """Put it in our terms."""
        return generation.Document(self.media_type, self.data, self.name)


class ToolUseBlock(_Strict):
    """A call the model made. `input_text` and `server`, as answers have them, are passed over."""

    type: Literal["tool_use"]
    id: ToolUseId
    name: ToolName
    input: Object
    input_text: Characters | None = None
    server: bool | None = None

    def value(self) -> generation.ToolUse:
        """Put it in our terms."""
        return generation.ToolUse(self.id, self.name, self.input)


ResultBlock = Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]


class ToolResultBlock(_Strict):
    """The answer to a call."""

    type: Literal["tool_result"]
    tool_use_id: ToolUseId
    content: Characters | Annotated[list[ResultBlock], Field(max_length=bounds.BLOCKS)] = ""
    is_error: bool = False

    def value(self) -> generation.ToolResult:
        """Put it in our terms."""
        if isinstance(self.content, str):
            content: tuple[Any, ...] = (generation.Text(self.content),) if self.content else ()
        else:
            content = tuple(block.value() for block in self.content)
        return generation.ToolResult(self.tool_use_id, content, self.is_error)


class ReasoningBlock(_Strict):
    """Reasoning of an earlier turn, unchanged."""

    type: Literal["reasoning"]
    text: Characters | None = None
    signature: Characters | None = None
    redacted: Characters | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.redacted is None) == (self.text is None):
            raise ValueError("needs either text (with its signature) or redacted")
        return self

    def value(self) -> generation.ReasoningBlock:
        """Put it in our terms."""
        return generation.ReasoningBlock(self.text, self.signature, self.redacted)


class CachePointBlock(_Strict):
    """What stands before it may be cached."""

    type: Literal["cache_point"]
    ttl: Literal["5m", "1h"] | None = None

    def value(self) -> generation.CachePoint:
        """Put it in our terms."""
        return generation.CachePoint(self.ttl)


Block = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ReasoningBlock | CachePointBlock,
    Field(discriminator="type"),
]


class Message(_Strict):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Said | Annotated[list[Block], Field(min_length=1, max_length=bounds.BLOCKS)]

    def value(self) -> generation.Message:
        """Put it in our terms."""
        if isinstance(self.content, str):
            return generation.Message(self.role, (generation.Text(self.content),))
        return generation.Message(self.role, tuple(block.value() for block in self.content))


class Tool(_Strict):
    """A tool the model may call."""

    name: ToolName
    description: Annotated[Characters, Field(min_length=1)] | None = None
    input_schema: Object

    @field_validator("input_schema")
    @classmethod
    def _object(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if schema.get("type") != "object":
            raise ValueError('must be a JSON Schema with "type": "object" at its root')
        return schema


class NamedTool(_Strict):
    """The tool that must be called."""

    name: ToolName


class Reasoning(_Strict):
    """How much to reason: `effort` or `budget_tokens`."""

    effort: Literal["low", "medium", "high"] | None = None
    budget_tokens: Count | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.effort is None) == (self.budget_tokens is None):
            raise ValueError("needs either effort or budget_tokens")
        return self

    def value(self) -> generation.Reasoning:
        """Put it in our terms."""
        return generation.Reasoning(effort=self.effort, budget_tokens=self.budget_tokens)


class Guardrail(_Strict):
    """A guardrail of Amazon Bedrock."""

    id: Characters = Field(min_length=1, max_length=2048)
    version: str = Field(pattern=r"^([1-9][0-9]{0,7}|DRAFT)$")
    trace: bool | Literal["enabled", "disabled", "enabled_full"] | None = None
    stream_mode: Literal["sync", "async"] | None = None

    def value(self) -> generation.Guardrail:
        """Put it in our terms."""
        trace = self.trace
        if isinstance(trace, bool):
            trace = "enabled" if trace else "disabled"
        return generation.Guardrail(self.id, self.version, trace, self.stream_mode)


class RawBody(_Strict):
    """A body as it came: looked at for how much it holds before it is read, and for how much was wrong afterwards."""

    @model_validator(mode="wrap")
    @classmethod
    def _within_bounds(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse what is too much in one sentence: pydantic takes a kilobyte to tell of each mistake."""
        if isinstance(given, dict) and (found := bounds.mistakes(given)):
            raise ValueError(f"{found[0].field}: {found[0].message}")
        try:
            return read(given)
        except ValidationError as error:
            if error.error_count() <= _MOST_MISTAKES:
                raise
            worst = max(given, key=lambda name: len(given[name]) if isinstance(given[name], list) else 0)
            raise ValueError(
                f"{bounds.named(worst)}: with it the request has more than {_MOST_MISTAKES} mistakes"
            ) from None


class Parameters(RawBody):
    """What may accompany a prompt, wherever it stands."""

    model_id: Characters | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        description="An id, an inference profile, an ARN or an alias; `ARTESIAN_DEFAULT_MODEL_ID` where it is absent",
    )
    system: Said | None = Field(default=None, description="The system prompt")
    max_tokens: Count | None = Field(
        default=None,
        description=f"The longest answer; {DEFAULT_MAX_TOKENS} where it is absent, and the reasoning's budget on top",
    )
    temperature: float | None = Field(default=None, ge=0, le=1, description="The model's own where it is absent")
    top_p: float | None = Field(default=None, ge=0, le=1, description="The model's own where it is absent")
    top_k: CountOrZero | None = Field(default=None, description="The model's own where it is absent")
    stop_sequences: list[Annotated[Characters, Field(min_length=1)]] = _empty(
        list, max_length=bounds.STOP_SEQUENCES, description="Texts before which the answer ends"
    )
    tools: list[Tool] = _empty(list, max_length=bounds.TOOLS, description="What the model may call")
    tool_choice: Literal["auto", "any", "none"] | NamedTool | None = Field(
        default=None, description="Whether it calls: as it likes, some tool, none, or the one that is named"
    )
    reasoning: Reasoning | None = Field(default=None, description="How much to reason; not at all where it is absent")
    guardrail: Guardrail | None = Field(default=None, description="A guardrail of Amazon Bedrock to apply")
    stream: bool = Field(default=False, description="Answer with the events of a stream instead of one JSON object")
    api: Literal["auto", "converse", "invoke"] | None = Field(
        default=None, description="Which of Bedrock's APIs carries it; `ARTESIAN_API` where it is absent"
    )
    on_interruption: generation.OnInterruption | None = Field(
        default=None,
        description="What follows a break after the first text; `ARTESIAN_ON_INTERRUPTION` where it is absent",
    )
    on_disconnect: generation.OnDisconnect | None = Field(
        default=None, description="What follows the reader's leaving; `ARTESIAN_ON_DISCONNECT` where it is absent"
    )
    store: bool = Field(default=True, description="Whether it is kept beyond this process; false: in memory only")
    metadata: dict[Annotated[Characters, Field(max_length=256)], Annotated[Characters, Field(max_length=256)]] = _empty(
        dict, max_length=16, description="The caller's own; Converse passes it on to Bedrock's logs"
    )
    extra: Object = _empty(dict, description="Members that are merged into the model's own request")

    @field_validator("stop_sequences", "tools", "stream", "store", "metadata", "extra", mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any, info: ValidationInfo) -> Any:
        """Take null for what is left out, as in the members above: clients write what they do not set so."""
        return (
            value
            if value is not None
            else cls.model_fields[str(info.field_name)].get_default(call_default_factory=True, validated_data={})
        )

    @model_validator(mode="after")
    def _tool_exists(self) -> Self:
        names = {tool.name for tool in self.tools}
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.name not in names:
            raise ValueError("tool_choice: names a tool that is not in tools")
        if self.tool_choice == "any" and not names:
            raise ValueError("tool_choice: any needs tools")
        if len(names) < len(self.tools):
            raise ValueError("tools: two tools have the same name")
        return self


class Generate(Parameters):
    """The body of `POST /api/generate`."""

    prompt: Said | None = Field(default=None, description="One message of the user; or `messages`")
    messages: list[Message] | None = Field(
        default=None, min_length=1, max_length=bounds.MESSAGES, description="A conversation; or `prompt`"
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.prompt is None and self.messages is None:
            raise ValueError("prompt: is needed (or messages)")
        if self.prompt is not None and self.messages is not None:
            raise ValueError("prompt: cannot stand beside messages; give one of the two")
        return self

    def turns(self) -> tuple[generation.Message, ...]:
        """Return the conversation in our terms."""
        if self.messages is None:
            return (generation.Message("user", (generation.Text(self.prompt or ""),)),)
        return tuple(message.value() for message in self.messages)


def to_request(
    parameters: Parameters,
    messages: tuple[generation.Message, ...],
    *,
    default_model_id: str,
    default_api: generation.Api,
    fault: str | None = None,
    ceiling: int | None = None,
) -> generation.Request:
    """Put a native request in our terms. `ceiling` lowers what stands for `max_tokens` where it is absent."""
    reasoning = parameters.reasoning.value() if parameters.reasoning else None
    usual = DEFAULT_MAX_TOKENS + (reasoning.budget if reasoning else 0)
    max_tokens = parameters.max_tokens or (usual if ceiling is None else min(usual, ceiling))
    return generation.Request(
        model_id=parameters.model_id or default_model_id,
        messages=messages,
        system=(generation.Text(parameters.system),) if parameters.system else (),
        max_tokens=max_tokens,
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        top_k=parameters.top_k,
        stop_sequences=tuple(parameters.stop_sequences),
        tools=tuple(generation.Tool(tool.name, tool.input_schema, tool.description) for tool in parameters.tools),
        tool_choice=_tool_choice(parameters.tool_choice),
        reasoning=reasoning,
        guardrail=parameters.guardrail.value() if parameters.guardrail else None,
        api=parameters.api or default_api,
        extra=parameters.extra,
        metadata=parameters.metadata,
        fault=fault,
    )


def _tool_choice(choice: str | NamedTool | None) -> generation.ToolChoice | None:
    match choice:
        case None:
            return None
        case NamedTool():
            return generation.ToolChoice("tool", choice.name)
        case "auto" | "any" | "none":
            return generation.ToolChoice(choice)
    raise AssertionError(choice)
