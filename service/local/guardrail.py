"""The local Bedrock's guardrail: it blocks prompts that contain certain words."""

import re
from typing import Any

from service.local.prompt import LocalPrompt

BLOCKED_WORDS = ("forbidden", "blocked-topic")
"""A guardrail blocks a prompt that contains one of these."""

BLOCKED_MESSAGE = "Sorry, the guardrail does not allow this question."
_WORD = re.compile("|".join(BLOCKED_WORDS), re.IGNORECASE)


def find_blocked_word(text: str) -> str:
    """Return the first blocked word of a text; empty if there is none."""
    found = _WORD.search(text)
    return found[0] if found else ""


def blocked_answer(prompt: LocalPrompt) -> str:
    """Return the message that replaces the answer; empty if the prompt is not blocked."""
    return BLOCKED_MESSAGE if prompt.guardrail and find_blocked_word(prompt.question) else ""


def write_trace(prompt: LocalPrompt) -> dict[str, Any] | None:
    """Write the guardrail's trace; None if the request does not ask for it."""
    if prompt.guardrail is None or not prompt.guardrail.trace:
        return None
    found = find_blocked_word(prompt.question)
    assessment = write_assessment(prompt.question, found)
    return {
        "inputAssessment": {prompt.guardrail.id: assessment},
        **({"actionReason": "Guardrail blocked."} if found else {"actionReason": "No action."}),
        **({"modelOutput": []} if found else {}),
    }


def write_assessment(text: str, found: str) -> dict[str, Any]:
    """Write a guardrail's assessment of one text."""
    policy = {
        "wordPolicy": {"customWords": [{"action": "BLOCKED", "detected": True, "match": found}], "managedWordLists": []}
    }
    return {
        **(policy if found else {}),
        "invocationMetrics": {
            "guardrailCoverage": {"textCharacters": {"guarded": len(text), "total": len(text)}},
            "guardrailProcessingLatency": 12,
            "usage": count_text_units(text),
        },
    }


def count_text_units(text: str) -> dict[str, int]:
    """Count text units of 1,000 characters."""
    return {
        "contentPolicyUnits": 0,
        "contextualGroundingPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 0,
        "sensitiveInformationPolicyUnits": 0,
        "topicPolicyUnits": 0,
        "wordPolicyUnits": 1 + len(text) // 1_000,
    }
