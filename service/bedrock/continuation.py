"""Whether a broken answer can be gone on from, and by which call.

Claude 3 to 4.5 and Nova go on from a last assistant message, on both APIs; a raw prompt goes on from whatever it ends
with, so its families are continued by InvokeModel even where the first attempt went by Converse. Claude 4.6 and later
answer 400; of all others nothing is known, and an answer of theirs is not gone on from. Reasoning and a call's
arguments cannot be gone on from in the middle.
"""

from msgspec import structs

from service.bedrock.catalog.model import Target
from service.bedrock.rules import reasoning
from service.bedrock.rules.parameters import refusals
from service.bedrock.words import uses_tools, without_cache_points
from service.generation import Request

RAW_PROMPTS = frozenset({"claude_text", "command", "deepseek_r1", "jurassic", "llama", "mistral_prompt", "titan"})


def continuation(target: Target, request: Request) -> Target | None:
    """Choose the call that goes on from the text so far, given to it as `prefill`; None: this cannot be continued."""
    if target.family in RAW_PROMPTS:
        return _raw(target, request)
    if target.abilities.prefill is not True or reasoning.is_on(request) or target.model.always_reasons:
        return None
    if target.family == "claude_messages" and request.output_schema is not None:
        return None  # Anthropic: a schema and a prefill exclude each other
    if target.model.series == "claude_3" and uses_tools(request):
        return None  # "pre-filling … not supported" with tools (reported)
    return target


def _raw(target: Target, request: Request) -> Target | None:
    """Go on by InvokeModel, where the request can be said there at all."""
    other = structs.replace(target, api="invoke", streams=target.model.invoke.streams)
    return None if refusals(without_cache_points(request), other) else other
