"""Converts the body of OpenAI's chat to a prompt, and rejects what these models reject."""

import json
import re
from collections.abc import Iterator, Sequence

from service.bedrock.catalog.resolution import Model
from service.local import media, shapes
from service.local.chat_shapes import OpenAIBody, OpenAIImagePart, OpenAIMessage, OpenAINamedTool, OpenAITextPart, Part
from service.local.families.common import InvokeRequest
from service.local.models import default_max_tokens
from service.local.prompt import LocalPrompt, PromptText, PromptTool, PromptToolResult, PromptToolUse, PromptTurn
from service.local.prompt import Part as PromptPart
from service.local.refusal import LocalRefusal

_DATA_URL = re.compile(r"data:image/(\w+);base64,(.*)", re.DOTALL)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def build_prompt(body: OpenAIBody, request: InvokeRequest) -> LocalPrompt:
    """Check a body and convert it to a prompt.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    model = request.model
    _check(body, model, streaming=request.streaming)
    system = [_text(message.content) for message in body.messages if message.role in {"system", "developer"}]
    turns = [
        PromptTurn("assistant" if message.role == "assistant" else "user", tuple(_parts(message)))
        for message in body.messages
        if message.role not in {"system", "developer"}
    ]
    prefill = turns.pop().text if turns and turns[-1].role == "assistant" and not body.messages[-1].tool_calls else ""
    output = body.response_format
    schema = output.json_schema.schema if output and output.json_schema else None
    if output and not output.json_schema and output.type == "json_object":
        schema = {"type": "object"}
    return LocalPrompt(
        model=model,
        turns=tuple(turns),
        system=tuple(PromptText(text) for text in system if text),
        tools=tuple(
            PromptTool(tool.function.name, tool.function.description, tool.function.parameters) for tool in body.tools
        ),
        choice=_choice(body),
        parallel=body.parallel_tool_calls is not False,
        max_tokens=body.max_completion_tokens or body.max_tokens or default_max_tokens(model),
        stop_sequences=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        reasoning=_reasons(body, model),
        prefill=prefill,
        schema=schema,
        guardrail=request.guardrail,
    )


def _check(body: OpenAIBody, model: Model, *, streaming: bool) -> None:
    abilities = model.invoke
    if body.stream is not None and body.stream is not streaming:
        raise LocalRefusal("stream: the value does not match the operation. Remove it.")
    accepted = {
        "temperature": abilities.temperature, "top_p": abilities.top_p, "top_k": abilities.top_k,
        "stop": abilities.stop_sequences, "tools": abilities.tools,
        "max_tokens": False if model.series == "gpt" else None,
        "documents": None if model.series.startswith("jamba") else False,
    }  # fmt: skip
    for name, accepts in accepted.items():
        if accepts is False and getattr(body, name):
            raise LocalRefusal(f"Unsupported parameter: '{name}' is not supported with this model.")
    if body.temperature is not None and body.temperature > abilities.max_temperature:
        raise LocalRefusal(
            shapes.format_schema_error("temperature", f"Expected `float` <= {abilities.max_temperature:g}")
        )
    limit, ceiling = body.max_completion_tokens or body.max_tokens, model.output_ceiling
    if limit is not None and ceiling is not None and limit > ceiling:
        raise LocalRefusal(
            f"max_tokens is too large: {limit}. This model supports at most {ceiling} completion tokens."
        )
    _check_messages(body.messages, model)
    names = {tool.function.name for tool in body.tools}
    if isinstance(body.tool_choice, OpenAINamedTool) and body.tool_choice.function.name not in names:
        raise LocalRefusal(f"tool_choice: the function {body.tool_choice.function.name!r} is not in tools.")
    if body.tool_choice not in {None, "none"} and not isinstance(body.tool_choice, OpenAINamedTool) and not body.tools:
        raise LocalRefusal("tool_choice is only allowed when tools are specified.")


def _check_messages(messages: Sequence[OpenAIMessage], model: Model) -> None:
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise LocalRefusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding 'tool_calls'."
                )
            open_calls.discard(message.tool_call_id)
            continue
        if open_calls:
            raise LocalRefusal(
                "An assistant message with 'tool_calls' must be followed by tool messages for each of them."
            )
        open_calls = {call.id for call in message.tool_calls or ()}
        if not message.tool_calls and not _text(message.content).strip() and not _has_image(message.content):
            raise LocalRefusal(f"messages.{place}.content: the content is blank.")
        if _has_image(message.content) and model.invoke.images is False:
            raise LocalRefusal("This model doesn't support image input.")
    turns = [message for message in messages if message.role not in {"system", "developer"}]
    if not turns or (turns[0].role != "user" and not model.invoke.leading_assistant):
        raise LocalRefusal("A conversation must start with a user message.")
    if turns[-1].role == "assistant" and model.invoke.prefill is not True:
        raise LocalRefusal(
            f"{model.id} does not support assistant message prefill. The conversation must end with a user message."
        )


def _has_image(content: str | list[Part] | None) -> bool:
    return isinstance(content, list) and any(isinstance(part, OpenAIImagePart) for part in content)


def _text(content: str | list[Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text for part in content if isinstance(part, OpenAITextPart))
    return content or ""


def _parts(message: OpenAIMessage) -> Iterator[PromptPart]:
    if message.role == "tool":
        yield PromptToolResult(message.tool_call_id or "", _text(message.content))
        return
    if isinstance(message.content, list):
        for part in message.content:
            if isinstance(part, OpenAIImagePart):
                found = _DATA_URL.fullmatch(part.image_url if isinstance(part.image_url, str) else part.image_url.url)
                if not found:
                    raise LocalRefusal("image_url: only data URLs in base64 are supported.")
                yield media.read_image(found[1], media.decode_base64(found[2], "image_url"))
    if text := _text(message.content):
        yield PromptText(text)
    for call in message.tool_calls or ():
        try:
            arguments = json.loads(call.function.arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise LocalRefusal("tool_calls: the arguments are not JSON.") from error
        yield PromptToolUse(call.id, call.function.name, arguments)


def _choice(body: OpenAIBody) -> str:
    match body.tool_choice:
        case OpenAINamedTool() as named:
            return f"tool:{named.function.name}"
        case "any" | "required":
            return "any"
        case "none":
            return "none"
        case _:
            return "auto"


def _reasons(body: OpenAIBody, model: Model) -> bool:
    style = model.invoke.reasoning
    effort = body.reasoning_effort or (body.reasoning.effort if body.reasoning else None) or body.reasoning_config
    if effort is None:
        return model.always_reasons or style == "inherent"
    if style is False or (style == "inherent" and not model.always_reasons):
        raise LocalRefusal("Unsupported parameter: 'reasoning_effort' is not supported with this model.")
    if effort not in _EFFORTS or (style == "high_only" and effort != "high"):
        raise LocalRefusal(f"Unsupported value: 'reasoning_effort' does not support {effort!r} with this model.")
    return effort != "none" or model.always_reasons
