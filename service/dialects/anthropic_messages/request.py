"""A Messages request, in our terms; `count_tokens` takes the same body.

Requests of `anthropic-version` 2023-06-01 and of 2026-10-21 are read alike: the later one only lacks fields.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from service.dialects import body, bounds
from service.dialects.anthropic_messages.content import Content, Given, blocks, texts
from service.dialects.anthropic_messages.tools import CacheControl, ToolEntry, choose, tools
from service.dialects.refusal import KnownRefusal, wrong
from service.generation import CachePoint, Message, Reasoning, Request, Text

Json = dict[str, Any]


class Turn(Struct):
    """One message."""

    role: str
    content: Content


class OutputConfig(Struct):
    """`effort`, and the form that the answer must have."""

    effort: str | None = None
    format: Json | None = None


class Thinking(Struct):
    """Whether and how much to think."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Body(Struct):
    """What is read of the body; the rest is passed over, and named."""

    messages: list[Turn]
    model: body.ModelName | None = None
    max_tokens: int | None = None
    system: str | list[Given] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: body.Stops | None = None
    stream: bool | None = None
    tools: list[ToolEntry] | None = None
    tool_choice: Json | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Json | None = None
    metadata: Json | None = None
    cache_control: CacheControl | None = None
    betas: list[str] | None = None
    mcp_servers: list[Json] | UnsetType | None = UNSET
    thread: Json | UnsetType | None = UNSET


class MessagesRequest(Struct, frozen=True):
    """A request, and what else was asked for. `dropped` names what was passed over."""

    request: Request
    stream: bool
    dropped: list[str]
    options: None = None


def parse(given: object, *, betas: Iterable[str] = (), default_model_id: str = "") -> MessagesRequest:
    """Read a request body, as decoded from JSON. `betas` are the `anthropic-beta` headers, each as it came.

    Raises:
        InvalidRequest: the request is wrong, or wants what cannot be had; status 400.
    """
    bounds.check(given)
    asked = body.read(given, Body)
    dropped = body.passed_over(given, Body) if isinstance(given, dict) else []
    _refuse(asked)
    system, messages = _conversation(asked)
    offered = tuple(tools(asked.tools or ()))
    choice, parallel = choose(asked.tool_choice, offered)
    request = Request(
        model_id=asked.model or default_model_id,
        messages=messages,
        system=system,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop_sequences=body.stop_sequences(asked.stop_sequences or (), dropped, "stop_sequences"),
        tools=offered,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        reasoning=_reasoning(asked, dropped),
        output_schema=_schema(asked),
        beta=_betas((*betas, *(asked.betas or ())), dropped),
        metadata=body.metadata(asked.metadata, dropped),
    )
    return MessagesRequest(request, bool(asked.stream), dropped)


def _refuse(asked: Body) -> None:
    """Refuse what is read only to be refused."""
    if asked.mcp_servers:
        raise wrong("mcp_servers", "Bedrock calls no MCP servers; offer their tools as tools.")
    if asked.thread:  # passed over, it would lose the turns before; the SDKs' tool runners then send all of them
        raise KnownRefusal("thread_unsupported_request", "thread", "Threads are not kept here: send all the messages.")
    body.at_least(asked.max_tokens, 1, "max_tokens")
    body.at_least(asked.temperature, 0, "temperature")
    body.at_least(asked.top_p, 0, "top_p")


def _conversation(asked: Body) -> tuple[tuple[Text | CachePoint, ...], tuple[Message, ...]]:
    """Part what the system says, wherever it says it, from the turns of the others."""
    system: list[Text | CachePoint] = list(texts(asked.system or "", "system"))
    turns = body.TurnCollector()
    for number, turn in enumerate(asked.messages):
        field = f"messages.{number}"
        match turn.role:
            case "user" | "assistant":
                turns.add(turn.role, blocks(turn.content, f"{field}.content"))
            case "system":
                system.extend(texts(turn.content, f"{field}.content"))
            case _:
                raise wrong(f"{field}.role", "This must be user, assistant or system.")
    if asked.cache_control is not None:
        turns.mark(asked.cache_control.point)
    messages = turns.messages(system)
    return tuple(system), messages


_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def _reasoning(asked: Body, dropped: list[str]) -> Reasoning | None:
    """Read whether and how much to think."""
    effort = asked.output_config.effort if asked.output_config else None
    if effort is not None and effort not in _EFFORTS:
        raise wrong("output_config.effort", f"This must be one of {', '.join(_EFFORTS)}.")
    match asked.thinking:
        case None:
            return Reasoning(effort=effort) if effort else None
        case Thinking(type="enabled", budget_tokens=int(budget)):
            body.at_least(budget, 1, "thinking.budget_tokens")
            return Reasoning(budget_tokens=budget, display=asked.thinking.display)
        case Thinking(type="adaptive"):
            return Reasoning(effort=effort, display=asked.thinking.display)
        case Thinking(type="between_tools"):
            dropped.append("thinking.type")  # Bedrock has no such measure: the model's own comes nearest
            return Reasoning(effort=effort)
        case Thinking(type="disabled"):
            return Reasoning(effort=effort, enabled=False)
        case Thinking(type="enabled"):
            raise wrong("thinking.budget_tokens", "This field is required.")
    raise wrong("thinking.type", "This must be enabled, adaptive or disabled.")


def _schema(asked: Body) -> Json | None:
    """Read the form that the answer must have; `output_format` is where the beta had it."""
    given = (asked.output_config.format if asked.output_config else None) or asked.output_format
    match given:
        case None:
            return None
        case {"type": "json_schema", "schema": dict()}:
            schema: Json = given["schema"]
            return schema
    raise wrong("output_config.format", "This must be json_schema with a schema.")


# Betas of Anthropic's own service, which Bedrock answers with 400 "invalid beta flag" (reported to litellm for each,
# 2025 to 2026; its table of beta headers, 2026-09); and two that newer clients send by themselves for what there is not
# here (anthropic 2.13 and Claude Code 2.1, 2026-11). The rest is passed on: what Bedrock takes depends on the model.
_NOT_OF_BEDROCK = (
    "advanced-tool-use-",
    "advisor-tool-",
    "claude-code-",
    "code-execution-",
    "fast-mode-",
    "files-api-",
    "mcp-client-",
    "mcp-servers-",
    "message-batches-",
    "message-threads-",
    "oauth-",
    "prompt-caching-scope-",
    "skills-",
    "thinking-token-count-",
    "web-fetch-",
    "web-search-",
)


def _betas(headers: Iterable[str], dropped: list[str]) -> tuple[str, ...]:
    """Collect the betas, each once, without those that Bedrock is known to refuse."""
    names = dict.fromkeys(name for header in headers for part in header.split(",") if (name := part.strip()))
    dropped.extend(f"anthropic-beta: {name}" for name in names if name.startswith(_NOT_OF_BEDROCK))
    return tuple(name for name in names if not name.startswith(_NOT_OF_BEDROCK))
