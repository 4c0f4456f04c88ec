"""What the models of one series have in common: wire shape, and what they take on Converse and on InvokeModel.

A series is a generation within a family. Converse's column follows AWS's table of models that Converse supports,
InvokeModel's the parameters that the family's body has a word for. True and False are documented or recorded; None
means that nobody has said so. The flags of a model's row (`listing`) refine its series.
"""

import re

from msgspec import Struct, structs

from service.bedrock.catalog.model import ANY_CHOICE, AUTO_ONLY, Abilities, ReasoningStyle, Tag


class Series(Struct, frozen=True):
    """The common part of some models. `pattern` is matched at the start of a bare id; the first that fits wins."""

    name: str
    family: str
    pattern: str
    converse: Abilities
    invoke: Abilities
    always_reasons: bool = False
    reasoning_tag: Tag | None = None
    reasons: ReasoningStyle = "inherent"
    """How those of its models reason whose row has the flag, where the series does not say."""


def _without_documents(abilities: Abilities) -> Abilities:
    """InvokeModel's body has no word for a document, though Converse takes them."""
    return structs.replace(abilities, documents=False, tool_result_documents=False)


def _as_nova(abilities: Abilities) -> Abilities:
    """Nova's own body has no word for a schema either."""
    return structs.replace(_without_documents(abilities), output_schema=False)


def _as_chat(abilities: Abilities) -> Abilities:
    """A chat body has no word for a document or a cache point."""
    return structs.replace(_without_documents(abilities), cache_points=False)


_OPEN = Abilities(turns=True, system=True, temperature=True, top_p=True)
"""A chat model of which nothing special is known."""

_CLAUDE = Abilities(
    turns=True,
    system=True,
    tools=True,
    tools_streaming=True,
    tool_choice=ANY_CHOICE,
    documents=True,
    tool_result_images=True,
    tool_result_documents=True,
    cache_points=True,
    temperature=True,
    top_p=True,
    top_k=True,
    stop_sequences=True,
    leading_assistant=True,
)
_CLAUDE_3 = structs.replace(_CLAUDE, reasoning=False, prefill=True)
_CLAUDE_THINKING = structs.replace(_CLAUDE, reasoning="budget", prefill=True, output_schema=True)
_CLAUDE_4_6 = structs.replace(_CLAUDE, reasoning="budget_or_adaptive", prefill=False, output_schema=True)
_CLAUDE_ADAPTIVE = structs.replace(_CLAUDE_4_6, reasoning="adaptive")
_CLAUDE_UNLISTED = structs.replace(
    _CLAUDE, reasoning="adaptive", temperature=None, top_p=None, top_k=None, tool_choice=None
)

_NOVA = Abilities(
    turns=True,
    system=True,
    tools=True,
    tools_streaming=True,
    tool_choice=ANY_CHOICE,
    tool_result_images=True,
    reasoning=False,
    cache_points=True,
    temperature=True,
    top_p=True,
    top_k=True,
    stop_sequences=True,
    leading_assistant=False,
    prefill=True,
)
_NOVA_2 = structs.replace(_NOVA, reasoning="nova")
_NOVA_UNLISTED = structs.replace(_NOVA, reasoning=None)

_TEXT = Abilities(
    turns=True,
    system=False,
    tools=False,
    images=False,
    documents=False,
    reasoning=False,
    cache_points=False,
    temperature=True,
    top_p=True,
    top_k=False,
    stop_sequences=True,
    output_schema=False,
    leading_assistant=False,
)
"""A model of text alone; on InvokeModel its prompt is raw, so the answer so far can stand at its end."""

_PROMPT = structs.replace(_TEXT, system=True, prefill=True)

_LLAMA = structs.replace(
    _TEXT, system=True, documents=True, stop_sequences=False, tool_result_alone=True, tool_result_documents=True,
    tools_streaming=False, tool_choice=AUTO_ONLY,
)  # fmt: skip
_LLAMA_PROMPT = structs.replace(_PROMPT, stop_sequences=False)

_MISTRAL = structs.replace(
    _TEXT, documents=True, tool_result_alone=True, tool_result_images=False, tool_result_documents=True, top_k=None,
    tools_streaming=False, tool_choice=frozenset({"auto", "any"}),
)  # fmt: skip
_MISTRAL_PROMPT = structs.replace(_PROMPT, top_k=True)
_MISTRAL_CHAT = structs.replace(_MISTRAL, system=True, tools=True, tools_streaming=True, cache_points=None)

_CHAT = structs.replace(_OPEN, tools=True, tools_streaming=True, leading_assistant=False)
"""OpenAI's chat shape: everything of section "Families on InvokeModel" that has no shape of its own."""

_COHERE_CHAT = structs.replace(
    _TEXT, system=True, tools=True, tools_streaming=True, tool_choice=AUTO_ONLY, documents=True, top_k=True
)
_JAMBA = structs.replace(
    _TEXT, system=True, tools=True, tools_streaming=True, tool_choice=AUTO_ONLY, documents=True, output_schema=None
)
_JAMBA_INSTRUCT = structs.replace(_JAMBA, tools=False)
_DEEPSEEK_V3 = structs.replace(_CHAT, images=False, reasoning="high_only")
_GPT_OSS = structs.replace(_CHAT, images=False, reasoning="effort", top_k=False, output_schema=None)
_GPT = structs.replace(_CHAT, reasoning="nested_effort", temperature=False, top_p=False, top_k=False)
_QWEN = structs.replace(_CHAT, leading_assistant=True, tool_result_images=False, output_schema=True)
_KIMI = structs.replace(_CHAT, leading_assistant=True, tool_result_images=False, reasoning="inherent")
_SCHEMA = structs.replace(_CHAT, output_schema=True)


def _chat(
    name: str, pattern: str, converse: Abilities, *, always: bool = False, tag: Tag | None = "think", family: str = ""
) -> Series:
    """Make a series whose InvokeModel body is a chat, and takes what Converse takes but for documents."""
    return Series(name, family or "openai_chat", pattern, converse, _as_chat(converse), always, tag)


SERIES = (
    Series("claude_text", "claude_text", r"anthropic\.claude-(v1|v2|instant)",
           structs.replace(_TEXT, system=True, documents=True, top_k=True),
           structs.replace(_PROMPT, top_k=True)),
    Series("claude_thinking", "claude_messages", r"anthropic\.claude-(3-7-|(opus|sonnet|haiku)-4(-[0-5])?(-\d{8}|$))",
           _CLAUDE_THINKING, _CLAUDE_THINKING),
    Series("claude_3", "claude_messages", r"anthropic\.claude-3-", _CLAUDE_3, _CLAUDE_3),
    Series("claude_4_6", "claude_messages", r"anthropic\.claude-(opus|sonnet)-4-6", _CLAUDE_4_6, _CLAUDE_4_6),
    Series("claude_adaptive", "claude_messages",
           r"anthropic\.claude-((opus|sonnet)-4-[789]|(opus|sonnet|haiku|fable|mythos)-(5|preview))",
           _CLAUDE_ADAPTIVE, _CLAUDE_ADAPTIVE),
    Series("claude", "claude_messages", r"anthropic\.", _CLAUDE_UNLISTED, _CLAUDE_UNLISTED),
    Series("nova_1", "nova", r"amazon\.nova-(lite|micro|pro|premier)", _NOVA, _as_nova(_NOVA)),
    Series("nova_2", "nova", r"amazon\.nova-2-(lite|pro|premier)", _NOVA_2, _as_nova(_NOVA_2)),
    Series("nova", "nova", r"amazon\.nova-(?!canvas|reel|.*sonic|.*embeddings)",
           _NOVA_UNLISTED, _as_nova(_NOVA_UNLISTED)),
    Series("titan", "titan", r"amazon\.titan-t(ext|g1)",
           structs.replace(_TEXT, documents=True), structs.replace(_TEXT, prefill=True)),
    Series("llama2", "llama", r"meta\.llama2", _LLAMA, _LLAMA_PROMPT),
    Series("llama3_vision", "llama", r"meta\.llama3-2-(11|90)b", structs.replace(_LLAMA, tools=True, images=True),
           structs.replace(_LLAMA_PROMPT, images=True)),
    Series("llama3_tools", "llama", r"meta\.llama3-[123]", structs.replace(_LLAMA, tools=True), _LLAMA_PROMPT),
    Series("llama3", "llama", r"meta\.llama3", _LLAMA, _LLAMA_PROMPT),
    Series("llama4", "llama", r"meta\.llama4", structs.replace(_LLAMA, tools=True, images=True), _LLAMA_PROMPT),
    Series("command_r", "command_r", r"cohere\.command-r", _COHERE_CHAT,
           structs.replace(_COHERE_CHAT, documents=False)),
    Series("command", "command", r"cohere\.command-(text|light)",
           structs.replace(_TEXT, turns=False, top_k=True), structs.replace(_PROMPT, top_k=True, max_temperature=5.0)),
    Series("jurassic", "jurassic", r"ai21\.j2",
           structs.replace(_TEXT, streams=False, turns=False), structs.replace(_PROMPT, streams=False)),
    Series("jamba_instruct", "openai_chat", r"ai21\.jamba-instruct", _JAMBA_INSTRUCT,
           structs.replace(_as_chat(_JAMBA_INSTRUCT), max_temperature=2.0)),
    Series("jamba", "openai_chat", r"ai21\.jamba", _JAMBA,
           structs.replace(_as_chat(_JAMBA), max_temperature=2.0)),
    Series("mistral_prompt", "mistral_prompt", r"mistral\.(mistral-7b|mixtral)", _MISTRAL, _MISTRAL_PROMPT),
    Series("mistral_2402", "mistral_prompt", r"mistral\.mistral-(small|large)-2402",
           structs.replace(_MISTRAL, system=True, tools=True), structs.replace(_MISTRAL_PROMPT, top_k=None)),
    _chat("mistral_chat", r"mistral\.mistral-large-2407", _MISTRAL_CHAT, tag=None, family="mistral_chat"),
    _chat("pixtral", r"mistral\.pixtral", structs.replace(_MISTRAL_CHAT, images=True), tag=None,
          family="mistral_chat"),
    Series("deepseek_r1", "deepseek_r1", r"deepseek\.r1",
           structs.replace(_TEXT, system=True, documents=True, reasoning="inherent"),
           structs.replace(_PROMPT, reasoning="inherent"), always_reasons=True),
    _chat("deepseek_v3", r"deepseek\.v3", _DEEPSEEK_V3),
    Series("gpt_oss", "openai_chat", r"openai\.gpt-oss",
           structs.replace(_GPT_OSS, documents=True, stop_sequences=False), _as_chat(_GPT_OSS),
           always_reasons=True, reasoning_tag="reasoning"),
    Series("gpt", "openai_chat", r"openai\.gpt-[56]",
           structs.replace(_GPT, stop_sequences=False), _as_chat(_GPT)),
    _chat("openai", r"openai\.", _CHAT, tag=None),
    Series("qwen", "openai_chat", r"qwen\.",
           structs.replace(_QWEN, stop_sequences=False), _as_chat(_QWEN),
           reasoning_tag="think", reasons="qwen"),
    _chat("writer", r"writer\.", structs.replace(_CHAT, documents=True, tool_result_status=False)),
    Series("kimi_k2", "openai_chat", r"moonshot(ai)?\.kimi-k2",
           structs.replace(_KIMI, stop_sequences=False, cache_points=False), _as_chat(_KIMI),
           reasoning_tag="think"),
    Series("kimi", "openai_chat", r"moonshot(ai)?\.",
           structs.replace(_KIMI, stop_sequences=False), _as_chat(_KIMI), reasoning_tag="think"),
    _chat("minimax", r"minimax\.", structs.replace(_SCHEMA, reasoning="inherent")),
    _chat("glm_4_5", r"zai\.glm-(4|5$)",
          structs.replace(_SCHEMA, leading_assistant=True, reasoning="high_only")),
    _chat("glm", r"zai\.", structs.replace(_CHAT, leading_assistant=True, reasoning="effort")),
    _chat("gemma", r"google\.", _SCHEMA),
    _chat("nemotron", r"nvidia\.", _SCHEMA),
    _chat("grok", r"xai\.", structs.replace(_CHAT, reasoning="nested_effort"), always=True),
    _chat("magistral", r"mistral\.magistral",
          structs.replace(_CHAT, tool_result_images=False, reasoning="inherent")),
    _chat("mistral", r"mistral\.", structs.replace(_SCHEMA, tool_result_images=False)),
)  # fmt: skip

UNKNOWN = Series("", "tolerant", "", Abilities(), Abilities())
"""What hides behind an opaque ARN, or is a model of a provider we have not met."""

_PATTERNS = tuple((re.compile(series.pattern), series) for series in SERIES)


def series_of(bare_id: str) -> Series | None:
    """Find the series of a bare model id, listed or not; None where no pattern fits."""
    return next((series for pattern, series in _PATTERNS if pattern.match(bare_id)), None)
