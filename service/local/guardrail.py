"""A guardrail as the local Bedrock has it: it blocks some words."""

import re
from typing import Any

from service.local.prompt import LocalPrompt

BLOCKED_WORDS = ("forbidden", "blocked-topic")
"""A prompt with one of these is blocked, where a guardrail is to be applied."""

MESSAGE = "Sorry, the guardrail does not allow this question."
_WORD = re.compile("|".join(BLOCKED_WORDS), re.IGNORECASE)


def match(text: str) -> str:
    """Return the word for which a text is blocked, if there is one."""
    found = _WORD.search(text)
    return found[0] if found else ""


def blocked(prompt: LocalPrompt) -> str:
    """Return what is said in place of an answer, if the prompt is blocked."""
    return MESSAGE if prompt.guardrail and match(prompt.asked) else ""


def trace(prompt: LocalPrompt) -> dict[str, Any] | None:
    """Report what the guardrail found, where the trace is wanted."""
    if prompt.guardrail is None or not prompt.guardrail.trace:
        return None
    found = match(prompt.asked)
    assessed = assessment(prompt.asked, found)
    return {
        "inputAssessment": {prompt.guardrail.id: assessed},
        **({"actionReason": "Guardrail blocked."} if found else {"actionReason": "No action."}),
        **({"modelOutput": []} if found else {}),
    }


def assessment(text: str, found: str) -> dict[str, Any]:
    """Write a guardrail's assessment of one text."""
    policy = {
        "wordPolicy": {"customWords": [{"action": "BLOCKED", "detected": True, "match": found}], "managedWordLists": []}
    }
    return {
        **(policy if found else {}),
        "invocationMetrics": {
            "guardrailCoverage": {"textCharacters": {"guarded": len(text), "total": len(text)}},
            "guardrailProcessingLatency": 12,
            "usage": usage(text),
        },
    }


def usage(text: str) -> dict[str, int]:
    """Count text units: a thousand characters each."""
    return {
        "contentPolicyUnits": 0,
        "contextualGroundingPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 0,
        "sensitiveInformationPolicyUnits": 0,
        "topicPolicyUnits": 0,
        "wordPolicyUnits": 1 + len(text) // 1_000,
    }
