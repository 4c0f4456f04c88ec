"""The same questions in the words of each surface."""

from typing import Any

from tests.dialect_parity.sdks import HAIKU
from tests.harness import Json

PLACE: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BOTH = "What is the weather in Oslo, and what is the time there?"
NAMES = {"get_weather": "The weather of a city", "get_time": "The local time of a city"}

CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": words, "parameters": PLACE}}
    for name, words in NAMES.items()
]
RESPONSES_TOOLS = [
    {"type": "function", "name": name, "description": words, "parameters": PLACE, "strict": False}
    for name, words in NAMES.items()
]
MESSAGES_TOOLS = [{"name": name, "description": words, "input_schema": PLACE} for name, words in NAMES.items()]


def chat(said: str, /, **more: Any) -> Json:
    return {"model": HAIKU, "messages": [{"role": "user", "content": said}]} | more


def responses(said: str, /, **more: Any) -> Json:
    return {"model": HAIKU, "input": said} | more


def messages(said: str, /, **more: Any) -> Json:
    return {"model": HAIKU, "max_tokens": 4000, "messages": [{"role": "user", "content": said}]} | more


THINKING = {"type": "enabled", "budget_tokens": 1500}

CHAT: dict[str, Json] = {
    "a text": chat("Tell me about wells."),
    "two calls at once": chat(BOTH, tools=CHAT_TOOLS),
    "reasoning": chat("Why do wells flow?", reasoning_effort="low"),
    "redacted reasoning": chat("Answer with redacted thinking.", reasoning_effort="low"),
    "reasoning and calls": chat(BOTH, tools=CHAT_TOOLS, reasoning_effort="low"),
    "an answer cut by its length": chat("Tell me about wells.", max_completion_tokens=7),
    "an answer cut by a stop sequence": chat("Count to 30.", stop=["17"]),
    "an answer in a form": chat(
        "Where is Oslo?",
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}},
    ),
}
RESPONSES: dict[str, Json] = {
    "a text": responses("Tell me about wells."),
    "two calls at once": responses(BOTH, tools=RESPONSES_TOOLS),
    "reasoning": responses("Why do wells flow?", reasoning={"effort": "low"}),
    "reasoning as a summary": responses("Why do wells flow?", reasoning={"effort": "low", "summary": "auto"}),
    "redacted reasoning": responses("Answer with redacted thinking.", reasoning={"effort": "low"}),
    "reasoning and calls": responses(BOTH, tools=RESPONSES_TOOLS, reasoning={"effort": "low"}),
    "an answer cut by its length": responses("Tell me about wells.", max_output_tokens=7),
    "an answer in a form": responses(
        "Where is Oslo?", text={"format": {"type": "json_schema", "name": "place", "schema": PLACE}}
    ),
}
MESSAGES: dict[str, Json] = {
    "a text": messages("Tell me about wells."),
    "two calls at once": messages(BOTH, tools=MESSAGES_TOOLS),
    "reasoning": messages("Why do wells flow?", thinking=THINKING),
    "redacted reasoning": messages("Answer with redacted thinking.", thinking=THINKING),
    "reasoning and calls": messages(BOTH, tools=MESSAGES_TOOLS, thinking=THINKING),
    "an answer cut by its length": messages("Tell me about wells.", max_tokens=7),
    "an answer cut by a stop sequence": messages("Count to 30.", stop_sequences=["17"]),
}

STOPS = (
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
    "something_new",
)
"""What Converse may say of why it stopped."""

MODELS = (
    HAIKU,
    "us.amazon.nova-2-lite-v1:0",
    "openai.gpt-oss-120b-1:0",
    "mistral.mistral-large-2407-v1:0",
    "deepseek.v3-v1:0",
    "qwen.qwen3-32b-v1:0",
    "cohere.command-r-plus-v1:0",
)
"""One of each of the families whose answers differ most."""
