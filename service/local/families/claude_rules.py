"""The rules of Anthropic's Messages that a body must meet beyond its types."""

from collections.abc import Sequence

from service.bedrock.catalog.resolution import Model
from service.local.converse.rules import merge_roles
from service.local.families.claude_shapes import (
    ClaudeBody,
    ClaudeDocumentBlock,
    ClaudeImageBlock,
    ClaudeMessage,
    ClaudeRedactedBlock,
    ClaudeTextBlock,
    ClaudeThinkingBlock,
    ClaudeToolResultBlock,
    ClaudeToolUseBlock,
    Content,
)
from service.local.reasoning_config import Sampling, check_claude_thinking, format_missing_reasoning
from service.local.refusal import LocalRefusal

_NEWER = "2026-10-21"  # the anthropic SDK 2.x sends it to every model, old ones too (2.9.0)


def check(body: ClaudeBody, model: Model) -> bool:
    """Check a body, and return whether the model thinks.

    Raises:
        LocalRefusal: Anthropic rejects the body.
    """
    abilities = model.invoke
    for place, message in enumerate(body.messages):
        last = place == len(body.messages) - 1
        newer = body.anthropic_version == _NEWER
        _check_message(message, f"messages.{place}", last=last, newer=newer, images=abilities.images)
    _check_results(body.messages)
    for name in ("temperature", "top_p", "top_k"):
        if getattr(body, name) is not None and getattr(abilities, name) is False:
            raise LocalRefusal(f"{name}: this parameter is not supported for this model.")
    ceiling = model.output_ceiling
    if ceiling is not None and body.max_tokens > ceiling:
        raise LocalRefusal(
            f"max_tokens: {body.max_tokens} > {ceiling}, which is the maximum allowed number of output tokens for "
            f"{model.id}"
        )
    if any(not sequence.strip() for sequence in body.stop_sequences):
        raise LocalRefusal("stop_sequences: each stop sequence must contain non-whitespace")
    sampling = Sampling(body.temperature, body.top_p, body.top_k)
    thinks = check_claude_thinking(body.thinking, model, body.max_tokens, sampling)
    if thinks and body.thinking and body.thinking.get("type") == "enabled":
        _check_leading_reasoning(body.messages)
    _check_tools(body, model, thinks=thinks)
    _check_prefill(body, model, thinks=thinks)
    return thinks


def as_blocks(content: str | Sequence[Content]) -> list[Content]:
    """Return the blocks of a content, which can be a string."""
    return [ClaudeTextBlock(text=content)] if isinstance(content, str) else list(content)


def _check_message(message: ClaudeMessage, place: str, *, last: bool, newer: bool, images: bool | None) -> None:
    content = as_blocks(message.content)
    if not content or (message.content == "" and not (last and message.role == "assistant")):
        raise LocalRefusal(
            f"{place}: all messages must have non-empty content except for the optional final assistant message"
        )
    for number, block in enumerate(content):
        if isinstance(block, ClaudeTextBlock) and not block.text.strip() and len(message.content):
            what = (
                "text content blocks must be non-empty"
                if not block.text
                else "text content blocks must contain non-whitespace text"
            )
            raise LocalRefusal(f"{place}.content.{number}: messages: {what}")
        if isinstance(block, ClaudeImageBlock) and images is False:
            raise LocalRefusal("This model does not support image input.")
        if isinstance(block, ClaudeTextBlock) and block.citations and message.role == "user" and newer:
            raise LocalRefusal(f"{place}.content.{number}.citations: Extra inputs are not permitted")
        if isinstance(block, ClaudeDocumentBlock | ClaudeImageBlock) and message.role == "assistant":
            raise LocalRefusal(f"{place}.content.{number}: this kind of block is not permitted in an assistant message")


def _check_results(messages: Sequence[ClaudeMessage]) -> None:
    open_ids: set[str] = set()
    merged = merge_roles((message.role, as_blocks(message.content)) for message in messages)
    for place, (role, content) in enumerate(merged):
        answered = {block.tool_use_id for block in content if isinstance(block, ClaudeToolResultBlock)}
        if role == "user" and (unexpected := answered - open_ids):
            raise LocalRefusal(
                f"messages.{place}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(sorted(unexpected))}. Each `tool_result` block must have a corresponding `tool_use` "
                "block in the previous message."
            )
        if missing := open_ids - answered:
            raise LocalRefusal(
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(missing))}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )
        open_ids = {block.id for block in content if isinstance(block, ClaudeToolUseBlock)}


def _check_tools(body: ClaudeBody, model: Model, *, thinks: bool) -> None:
    choice = body.tool_choice
    for place, tool in enumerate(body.tools):
        if tool.input_schema.get("type") != "object":
            raise LocalRefusal(f"tools.{place}.custom.input_schema.type: Input should be 'object'")
    if not body.tools:
        uses_tools = any(
            isinstance(block, ClaudeToolUseBlock | ClaudeToolResultBlock)
            for message in body.messages
            for block in as_blocks(message.content)
        )
        if uses_tools:
            raise LocalRefusal("Requests which include `tool_use` or `tool_result` blocks must define tools")
        if choice is not None and choice.type != "none":
            raise LocalRefusal("tool_choice may only be specified while providing tools")
        return
    if choice is None or choice.type in {"auto", "none"}:
        return
    if choice.type == "tool" and choice.name not in {tool.name for tool in body.tools}:
        raise LocalRefusal(f"tool_choice: the tool {choice.name!r} is not in tools")
    if thinks:
        raise LocalRefusal("Thinking may not be enabled when tool_choice forces tool use.")
    if model.invoke.tool_choice is not None and choice.type not in model.invoke.tool_choice:
        raise LocalRefusal(f"tool_choice.type: {choice.type!r} is not supported for this model.")


def _check_leading_reasoning(messages: Sequence[ClaudeMessage]) -> None:
    """Reject tool results for an answer that does not start with its reasoning."""
    has_results = isinstance(as_blocks(messages[-1].content)[0], ClaudeToolResultBlock)
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    if has_results and answers:
        first = as_blocks(messages[answers[-1]].content)[0]
        if not isinstance(first, ClaudeThinkingBlock | ClaudeRedactedBlock):
            raise LocalRefusal(
                format_missing_reasoning(answers[-1], "text" if isinstance(first, ClaudeTextBlock) else "tool_use")
            )


def _check_prefill(body: ClaudeBody, model: Model, *, thinks: bool) -> None:
    last = body.messages[-1]
    if last.role != "assistant":
        return
    if model.invoke.prefill is False:
        raise LocalRefusal(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if thinks:
        raise LocalRefusal(
            "Expected the final message not to be an assistant message: no prefill when thinking is enabled."
        )
    final = as_blocks(last.content)[-1]
    if isinstance(final, ClaudeTextBlock) and final.text != final.text.rstrip():
        raise LocalRefusal("messages: final assistant content cannot end with trailing whitespace")
