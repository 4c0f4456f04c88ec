"""A Chat Completions request, in our terms."""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from service.dialects import body, bounds
from service.dialects.openai_chat.parts import (
    Content,
    ToolEntry,
    blocks,
    choose,
    effort,
    output_schema,
    texts,
    tool_use,
    tools,
)
from service.dialects.refusal import wrong
from service.generation import (
    Block,
    CachePoint,
    Document,
    Image,
    Message,
    ReasoningBlock,
    Request,
    Text,
    ToolResult,
)

Json = dict[str, Any]


class Called(Struct):
    """The function of a call made earlier; `arguments` is JSON text."""

    name: str
    arguments: str = ""


class Call(Struct):
    """A call made earlier."""

    id: str
    function: Called


class Turn(Struct):
    """One message. `reasoning_details` is how we told of reasoning that must be handed back unchanged."""

    role: str
    content: Content = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Json] | None = None


class StreamOptions(Struct):
    """`include_usage`: end the stream with the usage."""

    include_usage: bool | None = None


class Body(Struct):
    """What is read of the body; the rest is passed over, and named."""

    messages: list[Turn]
    model: body.ModelName | None = None
    stream: bool | None = None
    store: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | body.Stops | None = None
    n: int | None = None
    tools: list[ToolEntry] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    response_format: Json | None = None
    reasoning_effort: str | None = None
    metadata: Json | None = None
    modalities: list[str] | None = None
    functions: Any | UnsetType = UNSET
    function_call: Any | UnsetType = UNSET


class ChatOptions(Struct, frozen=True):
    """What the encoder must know of the request."""

    include_usage: bool = False


class ChatRequest(Struct, frozen=True):
    """A request, and what else was asked for. `store` false: in memory only. `dropped` names what was passed over."""

    request: Request
    stream: bool
    options: ChatOptions
    dropped: list[str]
    store: bool = True


def parse(given: object, *, default_model_id: str = "") -> ChatRequest:
    """Read a request body, as decoded from JSON.

    Raises:
        InvalidRequest: the request is wrong, or wants what cannot be had; status 400.
    """
    bounds.check(given)
    asked = body.read(given, Body)
    dropped = body.passed_over(given, Body) if isinstance(given, dict) else []
    _refuse(asked)
    system, messages = _conversation(asked.messages)
    choice = choose(asked.tool_choice, tools(asked.tools or ()))
    schema, schema_name = output_schema(asked.response_format, dropped, "response_format")
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    request = Request(
        model_id=asked.model or default_model_id,
        messages=messages,
        system=system,
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop_sequences=body.stop_sequences(stop, dropped, "stop"),
        tools=choice.tools,
        tool_choice=choice.choice,
        parallel_tool_calls=asked.parallel_tool_calls,
        reasoning=effort(asked.reasoning_effort, "reasoning_effort"),
        output_schema=schema,
        output_schema_name=schema_name,
        metadata=body.metadata(asked.metadata, dropped),
    )
    options = ChatOptions(include_usage=bool(asked.stream_options and asked.stream_options.include_usage))
    return ChatRequest(request, bool(asked.stream), options, dropped, asked.store is not False)


def _refuse(asked: Body) -> None:
    """Refuse what is read only to be refused."""
    if asked.n not in (None, 1):
        raise wrong("n", "Bedrock gives one answer to a request: this must be 1.")
    if asked.functions is not UNSET or asked.function_call is not UNSET:
        raise wrong("functions", "These are long replaced: use tools and tool_choice.")
    if "audio" in (asked.modalities or ()):
        raise wrong("modalities", "Answers are text; there is no audio.")
    body.at_least(asked.max_completion_tokens, 1, "max_completion_tokens")
    body.at_least(asked.max_tokens, 1, "max_tokens")
    body.at_least(asked.temperature, 0, "temperature")
    body.at_least(asked.top_p, 0, "top_p")


def _conversation(given: list[Turn]) -> tuple[tuple[Text | CachePoint, ...], tuple[Message, ...]]:
    """Part what the system says, wherever it says it, from the turns of the others."""
    system: list[Text | CachePoint] = []
    turns = body.TurnCollector()
    for number, turn in enumerate(given):
        field = f"messages.{number}"
        match turn.role:
            case "system" | "developer":
                system.extend(texts(turn.content, f"{field}.content"))
            case "user":
                turns.add("user", blocks(turn.content, f"{field}.content"))
            case "assistant":
                turns.add("assistant", _answer(turn, field))
            case "tool":
                turns.add("user", [_result(turn, field)])
            case _:
                raise wrong(f"{field}.role", "This must be system, developer, user, assistant or tool.")
    messages = turns.messages(system)
    return tuple(system), messages


def _answer(turn: Turn, field: str) -> Iterator[Block]:
    """Read what the model said earlier, in the order in which it says such things."""
    yield from _reasoning(turn, field)
    yield from blocks(turn.content, f"{field}.content")
    if turn.refusal:
        yield Text(turn.refusal)
    for call in turn.tool_calls or ():
        yield tool_use(call.id, call.function.name, call.function.arguments)


def _reasoning(turn: Turn, field: str) -> Iterator[ReasoningBlock]:
    if turn.reasoning_details is None:
        if turn.reasoning_content and turn.reasoning_content.strip():
            yield ReasoningBlock(text=turn.reasoning_content)
        return
    for number, detail in enumerate(turn.reasoning_details):
        match detail:
            case {"type": "reasoning.text", "text": str(text), "signature": str(signature)}:
                yield ReasoningBlock(text=text, signature=signature)
            case {"type": "reasoning.text", "text": str(text)}:
                yield ReasoningBlock(text=text)
            case {"type": "reasoning.encrypted", "data": str(encrypted)}:
                yield ReasoningBlock(redacted=encrypted)
            case {"type": str()}:
                pass  # another gateway's kind of detail: its own business
            case _:
                raise wrong(f"{field}.reasoning_details.{number}", "This must have a type.")


def _result(turn: Turn, field: str) -> ToolResult:
    if turn.tool_call_id is None:
        raise wrong(f"{field}.tool_call_id", "This field is required.")
    said = [block for block in blocks(turn.content, f"{field}.content") if isinstance(block, Text | Image | Document)]
    return ToolResult(turn.tool_call_id, tuple(said))
