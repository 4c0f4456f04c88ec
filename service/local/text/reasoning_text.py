"""The reasoning at the start of an answer, and the signature that proves that a client returns it unchanged."""

from base64 import b64decode, b64encode
from hashlib import sha256

from service.local.prompt import LocalPrompt, PromptReasoning, PromptToolResult
from service.local.refusal import LocalRefusal
from service.local.text import intent

REDACTED_TRIGGERS = (
    "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB",
    "redacted thinking",
)
"""Texts in a prompt for which Claude's reasoning is redacted; the first is Anthropic's."""

REDACTED = "[REDACTED]"
"""The text of Nova 2's reasoning."""

_MARK = b"\x12\xb4artesian\x01"


def write_reasoning(prompt: LocalPrompt) -> str:
    """Write reasoning about the prompt."""
    words = intent.read_intent(prompt.question).words
    topic = ", ".join(words[:3]) or "something I should find out"
    if any(isinstance(part, PromptToolResult) for part in prompt.last.parts):
        return f"The tool has answered. I should now tell the user what that means for {topic}, in plain words."
    plan = "One of the tools may know better than I do." if prompt.tools else "I can answer that in a few sentences."
    return (
        f"The user asks about {topic}. Let me think about what matters to them. {plan} I should stay clear and brief."
    )


def is_redacted(prompt: LocalPrompt) -> bool:
    """Return whether the prompt asks for redacted reasoning."""
    question = prompt.question.lower()
    return any(trigger.lower() in question for trigger in REDACTED_TRIGGERS)


def sign(text: str) -> str:
    """Return the signature of a reasoning text."""
    return b64encode(_MARK + sha256(text.encode(errors="replace")).digest()).decode()


def redact(text: str) -> str:
    """Return the redacted form of a reasoning text, which is base64 twice (recorded)."""
    return b64encode(b64encode(_MARK + sha256(text.encode(errors="replace")).digest() * 3)).decode()


def check_signature(reasoning: PromptReasoning, path: str) -> None:
    """Reject reasoning that the client changed. Signatures of other origin are accepted unchecked.

    Raises:
        LocalRefusal: the signature is ours, but belongs to another text.
    """
    try:
        signature = b64decode(reasoning.signature, validate=True)
    except ValueError:
        signature = b""
    if not signature or (signature.startswith(_MARK) and reasoning.signature != sign(reasoning.text)):
        raise LocalRefusal(f"{path}: Invalid `signature` in `thinking` block")
