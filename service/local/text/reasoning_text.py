"""The reasoning an answer begins with, and the signature that shows it was handed back unchanged."""

from base64 import b64decode, b64encode
from hashlib import sha256

from service.local.prompt import LocalPrompt, PromptReasoning, PromptToolResult
from service.local.refusal import LocalRefusal
from service.local.text import intent

REDACTED_TRIGGERS = (
    "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB",
    "redacted thinking",
)
"""Words in a prompt that have Claude's reasoning redacted; the first is Anthropic's own."""

REDACTED = "[REDACTED]"
"""All that Nova 2 tells of its reasoning."""

_MARK = b"\x12\xb4artesian\x01"


def write_reasoning(prompt: LocalPrompt) -> str:
    """Think aloud about the prompt."""
    words = intent.read_intent(prompt.question).words
    topic = ", ".join(words[:3]) or "something I should find out"
    if any(isinstance(part, PromptToolResult) for part in prompt.last.parts):
        return f"The tool has answered. I should now tell the user what that means for {topic}, in plain words."
    plan = "One of the tools may know better than I do." if prompt.tools else "I can answer that in a few sentences."
    return (
        f"The user asks about {topic}. Let me think about what matters to them. {plan} I should stay clear and brief."
    )


def is_redacted(prompt: LocalPrompt) -> bool:
    """Tell whether the prompt asks for reasoning that nobody may read."""
    asked = prompt.question
    return any(trigger.lower() in asked.lower() for trigger in REDACTED_TRIGGERS)


def sign(text: str) -> str:
    """Sign reasoning."""
    return b64encode(_MARK + sha256(text.encode(errors="replace")).digest()).decode()


def redact(text: str) -> str:
    """Hide reasoning: decoded once it is base64 text again (recorded)."""
    return b64encode(b64encode(_MARK + sha256(text.encode(errors="replace")).digest() * 3)).decode()


def check_signature(thought: PromptReasoning, place: str) -> None:
    """Refuse reasoning that comes back changed. Signatures of other makers are taken on trust.

    Raises:
        LocalRefusal: the signature is ours, and the text is not the one it was made for.
    """
    try:
        signed = b64decode(thought.signature, validate=True)
    except ValueError:
        signed = b""
    if not signed or (signed.startswith(_MARK) and thought.signature != sign(thought.text)):
        raise LocalRefusal(f"{place}: Invalid `signature` in `thinking` block")
