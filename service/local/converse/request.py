"""Converts the body of Converse to a prompt."""

import json
from collections.abc import Iterator
from typing import Any

from service.bedrock.catalog.resolution import Model
from service.local import media, shapes
from service.local.converse import rules
from service.local.converse.extras import Extras, read_extras
from service.local.converse.shapes import (
    ConverseContentBlock,
    ConverseDocument,
    ConverseRequest,
    ConverseToolConfig,
)
from service.local.models import default_max_tokens
from service.local.prompt import (
    LocalPrompt,
    Media,
    Part,
    PromptCachePoint,
    PromptGuardrail,
    PromptReasoning,
    PromptText,
    PromptTool,
    PromptToolResult,
    PromptToolUse,
    PromptTurn,
)
from service.local.refusal import LocalRefusal
from service.local.text import reasoning_text


def parse_request(body: object, model: Model, *, streaming: bool) -> ConverseRequest:
    """Parse and check a body.

    Raises:
        LocalRefusal: Bedrock rejects it.
    """
    request = shapes.read(body, ConverseRequest, shapes.format_converse_error)
    rules.check(request, model, streaming=streaming)
    return request


def build_prompt(request: ConverseRequest, model: Model) -> LocalPrompt:
    """Convert a checked request to a prompt."""
    extras = read_extras(request, model)
    turns = [
        PromptTurn(
            "assistant" if message.role == "assistant" else "user",
            tuple(
                part
                for number, block in enumerate(message.content)
                for part in _parts(block, model, f"messages.{place}.content.{number}")
            ),
        )
        for place, message in enumerate(request.messages)
    ]
    prefill = turns.pop().text if turns and turns[-1].role == "assistant" else ""
    tools = tuple(_tools(request.tool_config))
    config = request.tool_config
    return LocalPrompt(
        model=model,
        turns=tuple(turns),
        system=tuple(_system(request)),
        tools=tools,
        choice=extras.choice or _choice(config),
        parallel=extras.parallel,
        max_tokens=request.inference_config.max_tokens or default_max_tokens(model),
        stop_sequences=tuple(request.inference_config.stop_sequences),
        reasoning=extras.reasoning or model.always_reasons or model.on("converse").reasoning == "inherent",
        prefill=prefill,
        schema=_schema(request, extras),
        guardrail=_guardrail(request),
        tools_cached=config is not None and any(tool.cache_point for tool in config.tools),
    )


def _system(request: ConverseRequest) -> Iterator[Part]:
    for content in request.system:
        if content.cache_point:
            yield PromptCachePoint()
        elif content.text:
            yield PromptText(content.text)
        elif content.guard_content and content.guard_content.text:
            yield PromptText(content.guard_content.text.text)


def _parts(block: ConverseContentBlock, model: Model, place: str) -> Iterator[Part]:
    if block.text is not None:
        yield PromptText(block.text)
    elif block.image:
        yield media.read_image(block.image.format, media.decode_base64(block.image.source.bytes or "", place))
    elif block.document:
        yield _document(block.document, place)
    elif block.video:
        yield Media("video", block.video.format, len(media.decode_base64(block.video.source.bytes or "", place)))
    elif block.tool_use:
        yield PromptToolUse(block.tool_use.tool_use_id, block.tool_use.name, block.tool_use.input)
    elif block.tool_result:
        result = block.tool_result
        yield PromptToolResult(result.tool_use_id, _result_text(block), result.status == "error")
    elif block.cache_point:
        yield PromptCachePoint()
    elif block.guard_content and block.guard_content.text:
        yield PromptText(block.guard_content.text.text)
    elif block.citations_content:
        yield from (PromptText(part.text) for part in block.citations_content.content)
    elif block.search_result:
        yield from (PromptText(part.text) for part in block.search_result.content)
    elif block.reasoning_content and block.reasoning_content.reasoning_text:
        received = block.reasoning_content.reasoning_text
        reasoning = PromptReasoning(received.text, received.signature or "")
        if model.family == "claude_messages":
            reasoning_text.check_signature(reasoning, place)
        yield reasoning


def _document(document: ConverseDocument, place: str) -> Media:
    cited = document.citations is not None and document.citations.enabled
    source = document.source
    if source.bytes:
        content = media.decode_base64(source.bytes, place)
    else:
        texts = [source.text] if source.text is not None else [part.text for part in source.content or ()]
        content = "\n".join(texts).encode()
    return media.read_document(document.format, document.name, content, cited=cited)


def _result_text(block: ConverseContentBlock) -> str:
    parts = block.tool_result.content if block.tool_result else []
    texts = [
        part.text if part.text is not None else json.dumps(part.json) if part.json is not None else "" for part in parts
    ]
    attached = [name for part in parts for name in ("image", "document", "video") if getattr(part, name)]
    return " ".join(filter(None, [*texts, *(f"[{name}]" for name in attached)]))


def _tools(config: ConverseToolConfig | None) -> Iterator[PromptTool]:
    for tool in config.tools if config else ():
        if tool.tool_spec:
            yield PromptTool(tool.tool_spec.name, tool.tool_spec.description or "", tool.tool_spec.input_schema.json)
        elif tool.system_tool:
            yield PromptTool(tool.system_tool.name, tool.system_tool.name.replace("_", " "), {}, server=True)


def _choice(config: ConverseToolConfig | None) -> str:
    choice = config.tool_choice if config else None
    if choice and choice.tool:
        return f"tool:{choice.tool.name}"
    return "any" if choice and choice.any is not None else "auto"


def _schema(request: ConverseRequest, extras: Extras) -> dict[str, Any] | None:
    if request.output_config and request.output_config.text_format:
        try:
            schema = json.loads(request.output_config.text_format.structure.json_schema.schema)
        except (ValueError, RecursionError):
            schema = None
        if not isinstance(schema, dict):
            raise LocalRefusal(
                "The value at outputConfig.textFormat.structure.jsonSchema.schema is not a JSON Schema object."
            )
        return schema
    return extras.schema


def _guardrail(request: ConverseRequest) -> PromptGuardrail | None:
    config = request.guardrail_config
    if config is None:
        return None
    if not config.guardrail_identifier or not config.guardrail_version:
        raise LocalRefusal("guardrailIdentifier and guardrailVersion must be given together.")
    return PromptGuardrail(config.guardrail_identifier, config.guardrail_version, trace=config.trace != "disabled")
