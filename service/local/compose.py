"""Composes an answer: reasoning, text and tool calls, in a model's order."""

import json
from uuid import UUID

from msgspec import Struct, structs

from service.local import guardrail
from service.local.answer import Block
from service.local.prompt import LocalPrompt, PromptTool
from service.local.text import citations, limits, reasoning_text, speech, tokens, tool_choice
from service.local.text.schema_samples import Material, sample


class ComposedAnswer(Struct, frozen=True):
    """The blocks of an answer and its stop reason. `live`: a text server writes the last block."""

    blocks: tuple[Block, ...]
    stop: str = "end_turn"
    sequence: str | None = None
    trace: dict[str, object] | None = None
    live: bool = False


def compose_answer(prompt: LocalPrompt, *, id_prefix: str = "tooluse_", live: bool = False) -> ComposedAnswer:
    """Compose the answer to a prompt. `id_prefix`: the first characters of tool call ids; empty for a plain UUID.

    `live`: a text server writes the text; only the blocks before it are composed.
    """
    blocked = guardrail.blocked_answer(prompt)
    trace = guardrail.write_trace(prompt)
    if blocked:
        return ComposedAnswer((Block(0, "text", blocked),), "guardrail_intervened", trace=trace)
    blocks: list[Block] = []
    if prompt.reasoning and not prompt.prefill:
        blocks.append(_reasoning_block(prompt))
    calls = tool_choice.choose_calls(prompt)
    if calls:
        _add_calls(blocks, prompt, calls, id_prefix)
    elif not live or prompt.schema is not None:
        _add_text(blocks, prompt)
    else:
        return ComposedAnswer(_limited(blocks, prompt).blocks, trace=trace, live=True)
    limited = _limited(blocks, prompt)
    return ComposedAnswer(limited.blocks, limited.stop, limited.sequence, trace)


def _reasoning_block(prompt: LocalPrompt) -> Block:
    text = continue_text(reasoning_text.write_reasoning(prompt), prompt.reasoning_so_far)
    if prompt.model.family == "claude_messages" and reasoning_text.is_redacted(prompt):
        return Block(0, "redacted", reasoning_text.redact(text))
    if prompt.model.family == "nova":
        return Block(0, "thinking", reasoning_text.REDACTED)
    signature = reasoning_text.sign(text) if prompt.model.family == "claude_messages" else ""
    return Block(0, "thinking", text, signature)


def _add_text(blocks: list[Block], prompt: LocalPrompt) -> None:
    if prompt.schema is not None:
        document = json.dumps(sample(prompt.schema, Material(prompt.question)), ensure_ascii=False)
        blocks.append(Block(len(blocks), "text", continue_text(document, prompt.prefill)))
        return
    for text, citation in citations.quote_documents(prompt):
        blocks.append(Block(len(blocks), "text", text, citation=citation))
    blocks.append(Block(len(blocks), "text", continue_text(write_text(prompt), prompt.prefill)))


def write_text(prompt: LocalPrompt) -> str:
    """Write the text of an answer, with the family's white space at its start."""
    return prompt.leading_space + speech.speak(prompt)


def continue_text(text: str, prefill: str) -> str:
    """Return the rest of a text after its beginning `prefill`; the whole text if it begins otherwise."""
    if text.startswith(prefill):
        return text[len(prefill) :]
    space = text[: len(text) - len(text.lstrip())]
    beginning = space + prefill.lstrip()
    return text[len(beginning) :] if prefill.strip() and text.startswith(beginning) else text


def _add_calls(blocks: list[Block], prompt: LocalPrompt, calls: list[tuple[PromptTool, str]], id_prefix: str) -> None:
    if prompt.choice == "auto" and not prompt.prefill:
        names = " and ".join(dict.fromkeys(tool.name for tool, _ in calls))
        text = f"Let me look that up with {names}."
        if prompt.model.series == "nova_1":  # its reasoning is part of its text (recorded)
            text = f"<thinking> {names} can tell me what the user wants to know.</thinking>\n"
        blocks.append(Block(len(blocks), "text", text))
    for number, (tool, arguments) in enumerate(calls):
        id_ = call_id(prompt, number, id_prefix, tool.name)
        blocks.append(Block(len(blocks), "server_call" if tool.server else "call", arguments, id=id_, name=tool.name))
        if tool.server:
            blocks.append(
                Block(len(blocks), "server_result", tool_choice.run_server_tool(tool), id=id_, name=tool.name)
            )
    if all(tool.server for tool, _ in calls):
        blocks.append(Block(len(blocks), "text", "That is what the tool says: 42."))


def call_id(prompt: LocalPrompt, number: int, id_prefix: str, name: str) -> str:
    """Make the id of a tool call in the format of the model and the API (recorded)."""
    if id_prefix == "functions.":
        return f"functions.{name}:{number}"
    if not id_prefix:
        return str(UUID(bytes=tool_choice.make_token(prompt, number, 16).encode()))
    return id_prefix + tool_choice.make_token(prompt, number)


def _limited(blocks: list[Block], prompt: LocalPrompt) -> ComposedAnswer:
    """Cut the blocks at the token limit and at the stop sequences."""
    left = prompt.max_tokens
    limited: list[Block] = []
    for block in blocks:
        if left <= 0:
            return ComposedAnswer(tuple(limited), "max_tokens")
        if block.kind in {"redacted", "server_result"}:
            cut = limits.Cut(block.text)
        else:
            cut = limits.cut(block.text, prompt.stop_sequences if block.kind == "text" else (), left)
        limited.append(structs.replace(block, text=cut.text))
        if cut.reason:
            return ComposedAnswer(tuple(limited), cut.reason, cut.sequence)
        left -= tokens.count(block.text)
    stop = "tool_use" if any(block.kind == "call" for block in limited) else "end_turn"
    return ComposedAnswer(tuple(limited), stop)
