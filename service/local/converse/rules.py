"""The rules of Converse that a request must meet beyond its types: each violation is a 400 with its own message.

The quoted parts of Bedrock's messages are stable (reported in many threads, 2024 to 2026); the rest is ours.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from service.bedrock.catalog.resolution import Abilities, Api, Model
from service.local.converse.shapes import ConverseContentBlock, ConverseDocument, ConverseMessage, ConverseRequest
from service.local.refusal import LocalRefusal

T = TypeVar("T")
_CALLS = ("toolUse", "toolResult")
_MAX_IMAGES, _MAX_DOCUMENTS = 20, 5
_IMAGE_BYTES, _DOCUMENT_BYTES = 3_750_000, 4_500_000
_NAME_CHARACTERS = frozenset(" -()[]")


def check(request: ConverseRequest, model: Model, *, streaming: bool, api: Api = "converse") -> None:
    """Check a request; `api` is the API of the call, since Nova has the same format on both.

    Raises:
        LocalRefusal: Bedrock rejects it.
    """
    abilities = model.on(api)
    if not request.messages:
        raise LocalRefusal("The messages field is required. Add at least one message and try again.")
    for place, message in enumerate(request.messages):
        _check_message(message, f"messages.{place}", abilities, claude=model.family == "claude_messages")
    _check_order(request, model, abilities)
    _check_tools(request, model, abilities, streaming=streaming)
    _check_parameters(request, model, abilities)
    _check_results(request.messages)
    _check_sizes(request.messages)


def kind_of(block: ConverseContentBlock) -> str:
    """Return the name of a block's only member; empty if the block does not have exactly one."""
    kinds = [name for name in _KINDS if getattr(block, _KINDS[name]) is not None]
    return kinds[0] if len(kinds) == 1 else ""


_KINDS = {field.encode_name: field.name for field in msgspec.structs.fields(ConverseContentBlock)}


def blocks(messages: list[ConverseMessage]) -> Iterator[ConverseContentBlock]:
    """Yield all blocks of all messages."""
    return (block for message in messages for block in message.content)


def _check_message(message: ConverseMessage, place: str, abilities: Abilities, *, claude: bool) -> None:
    if not message.content:
        raise LocalRefusal(f"The content field in the Message object at {place} is empty. Add a ContentBlock object.")
    kinds = [kind_of(block) for block in message.content]
    for number, (kind, block) in enumerate(zip(kinds, message.content, strict=True)):
        where = f"{place}.content.{number}"
        if not kind:
            raise LocalRefusal(
                f"The ContentBlock object at {where} must set one of the following keys: {', '.join(_KINDS)}."
            )
        if kind == "text" and not (block.text or "").strip():
            raise LocalRefusal(
                f"The text field in the ContentBlock object at {where} is blank. Add text to the text field."
            )
        _check_kind(kind, block, where, abilities, claude=claude)
    if "document" in kinds and "text" not in kinds:
        raise LocalRefusal("A text block must be included when using documents.")
    if "toolResult" in kinds and len(set(kinds)) > 1 and abilities.tool_result_alone:
        raise LocalRefusal(
            f"The message at {place} holds a toolResult beside other blocks; it must be alone in its message."
        )


def _check_kind(kind: str, block: ConverseContentBlock, where: str, abilities: Abilities, *, claude: bool) -> None:
    accepted = {
        "image": abilities.images, "document": abilities.documents, "cachePoint": abilities.cache_points,
        "video": None if abilities.images else False, "audio": False,
    }.get(kind)  # fmt: skip
    if accepted is False:
        name = {"cachePoint": "cachePoint"}.get(kind, f"{kind} content")
        raise LocalRefusal(
            f"This model doesn't support the {name} block that you provided at {where}. Remove it and try again."
        )
    source = next((found.source for found in (block.image, block.document, block.video) if found), None)
    if source and source.s3_location:
        raise LocalRefusal("This model doesn't support the s3Uri field. Remove s3Uri and try again.")
    if block.document:
        _check_document(block.document, where)
        cited = block.document.citations is not None and block.document.citations.enabled
        if cited and not claude:
            raise LocalRefusal("This model doesn't support the citations field. Remove citations and try again.")
    result = block.tool_result
    if result and result.status and abilities.tool_result_status is False:
        raise LocalRefusal("This model doesn't support the status field. Remove status and try again.")


def _check_document(document: ConverseDocument, where: str) -> None:
    name = document.name
    if "  " in name or not all(character.isalnum() or character in _NAME_CHARACTERS for character in name):
        raise LocalRefusal(
            f"The document file name at {where} can only contain alphanumeric characters, whitespace, "
            "hyphens, parentheses, and square brackets. It can't contain two whitespace characters in a row."
        )


def _check_order(request: ConverseRequest, model: Model, abilities: Abilities) -> None:
    first, last = request.messages[0], request.messages[-1]
    if first.role != "user" and not abilities.leading_assistant:
        raise LocalRefusal(
            "A conversation must start with a user message. Try again with a conversation that starts so."
        )
    if last.role == "assistant":
        if abilities.prefill is False or (abilities.prefill is None and model.family != "nova"):
            raise LocalRefusal(
                f"{model.id} does not support assistant message prefill. The conversation must end with a user message."
            )
        text = last.content[-1].text
        if model.family == "claude_messages" and text is not None and text != text.rstrip():
            raise LocalRefusal("messages: final assistant content cannot end with trailing whitespace")
    if abilities.turns is False and len(request.messages) > 1:
        raise LocalRefusal(
            "This model doesn't support conversation history. Try again with input that only has one user message."
        )
    if request.system and abilities.system is False:
        raise LocalRefusal("This model doesn't support system messages. Try again without a system message.")


def _check_tools(request: ConverseRequest, model: Model, abilities: Abilities, *, streaming: bool) -> None:
    config = request.tool_config
    if config is None:
        if any(kind_of(block) in _CALLS for block in blocks(request.messages)):
            raise LocalRefusal("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        return
    if abilities.tools is False:
        raise LocalRefusal("This model doesn't support tool use.")
    if streaming and abilities.tools_streaming is False:
        raise LocalRefusal("This model doesn't support tool use in streaming mode.")
    for place, tool in enumerate(config.tools):
        if tool.tool_spec is not None:
            _check_schema(tool.tool_spec.input_schema.json, place, model)
    choice = config.tool_choice
    mode = "tool" if choice and choice.tool else "any" if choice and choice.any is not None else "auto"
    if (
        choice
        and choice.tool
        and choice.tool.name not in {tool.tool_spec.name for tool in config.tools if tool.tool_spec}
    ):
        raise LocalRefusal(f"The toolChoice field names the tool {choice.tool.name}, which is not in toolConfig.tools.")
    if mode != "auto" and abilities.tool_choice is not None and mode not in abilities.tool_choice:
        raise LocalRefusal(
            f"This model doesn't support the toolConfig.toolChoice.{mode} field. Remove it and try again."
        )


def _check_schema(schema: Any, place: int, model: Model) -> None:
    where = f"toolConfig.tools.{place}.toolSpec.inputSchema.json"
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise LocalRefusal(f"The value at {where}.type must be one of the following: object.")
    if model.family == "nova" and (extra := [key for key in schema if key not in {"type", "properties", "required"}]):
        raise LocalRefusal(
            f"Malformed input request: #/toolConfig/tools/{place}/toolSpec/inputSchema/json: extraneous key "
            f"[{extra[0]}] is not permitted, please reformat your input and try again."
        )


def _check_parameters(request: ConverseRequest, model: Model, abilities: Abilities) -> None:
    config = request.inference_config
    refused = {
        "temperature": config.temperature is not None and abilities.temperature is False,
        "topP": config.top_p is not None and abilities.top_p is False,
        "stopSequences": bool(config.stop_sequences) and abilities.stop_sequences is False,
    }
    for name, wrong in refused.items():
        if wrong:
            raise LocalRefusal(f"This model doesn't support the {name} field. Remove {name} and try again.")
    ceiling = model.output_ceiling
    if config.max_tokens is not None and ceiling is not None and config.max_tokens > ceiling:
        raise LocalRefusal(
            f"The maximum tokens you requested exceeds the model limit of {ceiling}. Try again with a maximum tokens "
            f"value that is lower than {ceiling}."
        )
    for place, sequence in enumerate(config.stop_sequences):
        if model.family == "claude_messages" and not sequence.strip():
            raise LocalRefusal(f"stop_sequences: each stop sequence must contain non-whitespace (at {place})")


def _check_results(messages: list[ConverseMessage]) -> None:
    """Check that each message has the results of exactly the tool calls of the message before it."""
    open_ids: set[str] = set()
    for place, (role, content) in enumerate(merge_roles((message.role, message.content) for message in messages)):
        answered = {block.tool_result.tool_use_id for block in content if block.tool_result}
        if role == "user" and answered - open_ids:
            raise LocalRefusal(
                f"The number of toolResult blocks at messages.{place}.content exceeds the number of toolUse blocks of "
                "previous turn."
            )
        if missing := open_ids - answered:
            ids = ", ".join(sorted(missing))
            raise LocalRefusal(f"Expected toolResult blocks at messages.{place}.content for the following Ids: {ids}")
        calls = [block.tool_use for block in content if block.tool_use]
        open_ids = {call.tool_use_id for call in calls if call.type != "server_tool_use"}


def merge_roles(messages: Iterable[tuple[str, Iterable[T]]]) -> list[tuple[str, list[T]]]:
    """Join consecutive messages of one role, as Anthropic does, and Bedrock since 2026."""
    joined: list[tuple[str, list[T]]] = []
    for role, content in messages:
        if joined and joined[-1][0] == role:
            joined[-1][1].extend(content)
        else:
            joined.append((role, list(content)))
    return joined


def _check_sizes(messages: list[ConverseMessage]) -> None:
    images = [block.image for block in blocks(messages) if block.image]
    documents = [block.document for block in blocks(messages) if block.document]
    if len(images) > _MAX_IMAGES:
        raise LocalRefusal(f"too many images: {len(images)} > {_MAX_IMAGES}")
    if len(documents) > _MAX_DOCUMENTS:
        raise LocalRefusal(f"too many documents: {len(documents)} > {_MAX_DOCUMENTS}")
    if any(_size(image.source.bytes) > _IMAGE_BYTES for image in images):
        raise LocalRefusal(f"image exceeds {_IMAGE_BYTES} bytes")
    if any(_size(document.source.bytes) > _DOCUMENT_BYTES for document in documents):
        raise LocalRefusal(f"document exceeds {_DOCUMENT_BYTES} bytes")


def _size(encoded: str | None) -> int:
    return len(encoded or "") * 3 // 4
