"""Composes an answer: reasoning, words, calls, in the order in which the model would say them."""

import json
from uuid import UUID

from msgspec import Struct

from service.local import guardrail
from service.local.answer import Block
from service.local.prompt import LocalPrompt, PromptTool
from service.local.text import citations, limits, reasoning_text, speech, tokens, tool_choice
from service.local.text.schema_samples import Material, sample


class ComposedAnswer(Struct, frozen=True):
    """The blocks of an answer and why it stops. `live`: its words come from elsewhere, as the last block."""

    blocks: tuple[Block, ...]
    stop: str = "end_turn"
    sequence: str | None = None
    trace: dict[str, object] | None = None
    live: bool = False


def compose_answer(prompt: LocalPrompt, *, id_prefix: str = "tooluse_", live: bool = False) -> ComposedAnswer:
    """Answer a prompt. `id_prefix`: how the id_prefix of calls begin; empty for a plain UUID.

    `live`: somebody else finds the words; what is composed is everything before them.
    """
    blocked = guardrail.blocked_answer(prompt)
    trace = guardrail.write_trace(prompt)
    if blocked:
        return ComposedAnswer((Block(0, "text", blocked),), "guardrail_intervened", trace=trace)
    blocks: list[Block] = []
    if prompt.reasoning and not prompt.prefill:
        blocks.append(_thinking(prompt))
    called = tool_choice.choose_calls(prompt)
    if called:
        _add_calls(blocks, prompt, called, id_prefix)
    elif not live or prompt.schema is not None:
        _add_words(blocks, prompt)
    else:
        return ComposedAnswer(_limited(blocks, prompt).blocks, trace=trace, live=True)
    limited = _limited(blocks, prompt)
    return ComposedAnswer(limited.blocks, limited.stop, limited.sequence, trace)


def _thinking(prompt: LocalPrompt) -> Block:
    said = continue_text(reasoning_text.write_reasoning(prompt), prompt.reasoning_so_far)
    if prompt.model.family == "claude_messages" and reasoning_text.is_redacted(prompt):
        return Block(0, "redacted", reasoning_text.redact(said))
    if prompt.model.family == "nova":
        return Block(0, "thinking", reasoning_text.REDACTED)
    return Block(
        0, "thinking", said, signature=reasoning_text.sign(said) if prompt.model.family == "claude_messages" else ""
    )


def _add_words(blocks: list[Block], prompt: LocalPrompt) -> None:
    if prompt.schema is not None:
        written = json.dumps(sample(prompt.schema, Material(prompt.question)), ensure_ascii=False)
        blocks.append(Block(len(blocks), "text", continue_text(written, prompt.prefill)))
        return
    for text, citation in citations.quote_documents(prompt):
        blocks.append(Block(len(blocks), "text", text, citation=citation))
    blocks.append(Block(len(blocks), "text", continue_text(write_text(prompt), prompt.prefill)))


def write_text(prompt: LocalPrompt) -> str:
    """Find the words of an answer, as its family begins them."""
    return prompt.leading_space + speech.speak(prompt)


def continue_text(said: str, so_far: str) -> str:
    """Go on from the answer so far, where it is the beginning of this one; otherwise say the whole of it."""
    if said.startswith(so_far):
        return said[len(so_far) :]
    space = said[: len(said) - len(said.lstrip())]
    begun = space + so_far.lstrip()
    return said[len(begun) :] if so_far.strip() and said.startswith(begun) else said


def _add_calls(blocks: list[Block], prompt: LocalPrompt, called: list[tuple[PromptTool, str]], id_prefix: str) -> None:
    if prompt.choice == "auto" and not prompt.prefill:
        names = " and ".join(dict.fromkeys(tool.name for tool, _ in called))
        said = f"Let me look that up with {names}."
        if prompt.model.series == "nova_1":  # it thinks aloud, in its text (recorded)
            said = f"<thinking> {names} can tell me what the user wants to know.</thinking>\n"
        blocks.append(Block(len(blocks), "text", said))
    for number, (tool, written) in enumerate(called):
        id_ = call_id(prompt, number, id_prefix, tool.name)
        blocks.append(tool_choice.call_block(len(blocks), tool, written, id_))
        if tool.server:
            blocks.append(
                Block(len(blocks), "server_result", tool_choice.run_server_tool(tool), id=id_, name=tool.name)
            )
    if all(tool.server for tool, _ in called):
        blocks.append(Block(len(blocks), "text", "That is what the tool says: 42."))


def call_id(prompt: LocalPrompt, number: int, id_prefix: str, name: str) -> str:
    """Make a call's id in the form of the model and the API (recorded)."""
    if id_prefix == "functions.":
        return f"functions.{name}:{number}"
    if not id_prefix:
        return str(UUID(bytes=tool_choice.make_token(prompt, number, 16).encode()))
    return id_prefix + tool_choice.make_token(prompt, number)


def _limited(blocks: list[Block], prompt: LocalPrompt) -> ComposedAnswer:
    """Stop where the answer has to."""
    left = prompt.max_tokens
    kept: list[Block] = []
    for block in blocks:
        if left <= 0:
            return ComposedAnswer(tuple(kept), "max_tokens")
        if block.kind in {"redacted", "server_result"}:
            ended = limits.Cut(block.text)
        else:
            ended = limits.cut(block.text, prompt.stop_sequences if block.kind == "text" else (), left)
        kept.append(Block(block.index, block.kind, ended.text, block.signature, block.id, block.name, block.citation))
        if ended.reason:
            return ComposedAnswer(tuple(kept), ended.reason, ended.sequence)
        left -= tokens.count(block.text)
    stop = "tool_use" if any(block.kind == "call" for block in kept) else "end_turn"
    return ComposedAnswer(tuple(kept), stop)
