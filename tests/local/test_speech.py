"""The text of the answers: it is about the prompt and the same for the same conversation."""

import pytest

from tests.local.bedrock import CLAUDE, Bedrock, assistant, text_of, user


def ask(bedrock: Bedrock, prompt: str) -> str:
    return text_of(bedrock.stream(prompt=prompt))


def test_the_same_conversation_gets_the_same_text(bedrock: Bedrock) -> None:
    once, again = (ask(bedrock, "Why do cats purr?") for _ in range(2))
    limited = text_of(bedrock.stream(prompt="Why do cats purr?", inferenceConfig={"maxTokens": 5}))

    assert once == again
    assert once.startswith(limited)
    assert once != ask(bedrock, "Why do cats sleep?")


def test_the_answer_is_about_the_prompt_in_several_sentences(bedrock: Bedrock) -> None:
    text = ask(bedrock, "How does photosynthesis work in oak trees?")

    assert "photosynthesis" in text.lower()
    assert "oak trees" in text
    sentences = [len(sentence.split()) for sentence in text.split(".") if sentence.strip()]
    assert len(sentences) > 4
    assert len(set(sentences)) > 2


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("Write a python function for prime numbers", "```python\ndef "),
        ("Write a javascript function for rivers", "```javascript\nfunction "),
        ("List five kinds of stone", "5. **"),
        ("Make a table of planets", "| --- |"),
        ("Write a poem about moss", "moss"),
        ("Tell me a story about moss", "moss"),
        ("Hello!", "What would you like to talk about?"),
        ("Who are you?", "I am the local Bedrock"),
        ('Reply with exactly: "pong pong"', "pong pong"),
        ("Count to 5", "1, 2, 3, 4, 5."),
        ("Warum ist der Himmel blau?", "Himmel"),
        ("为什么天空是蓝色的", "我们来谈谈"),
        ("Почему небо голубое?", "Поговорим"),
        ("なぜ空は青いのですか", "お話ししましょう"),
        ("¿Qué es la fotosíntesis?", "Hablemos"),
        ("Rain and sun make a 🌈 they say", "🌈"),
        ("ok", "."),
        ("Tell me about e\u0301tudes and \U0001f469\u200d\U0001f680 rockets", "🚀"),
    ],
)
def test_the_answer_has_the_requested_form(bedrock: Bedrock, prompt: str, part: str) -> None:
    assert part in ask(bedrock, prompt)


@pytest.mark.parametrize(("prompt", "least", "most"), [
    ("Tell me about wells briefly", 10, 60),
    ("Write 300 words about wells", 280, 360),
    ("Explain wells in detail", 400, 500),
])  # fmt: skip
def test_the_answer_has_the_requested_length(bedrock: Bedrock, prompt: str, least: int, most: int) -> None:
    assert least <= len(ask(bedrock, prompt).split()) <= most


def test_the_answer_mentions_the_system_prompt(bedrock: Bedrock) -> None:
    pirate = text_of(bedrock.stream(prompt="About tea", system=[{"text": "You are a pirate captain. Be kind."}]))
    brief = text_of(bedrock.stream(prompt="About tea", system=[{"text": "Use short words only."}]))

    assert pirate.startswith("Speaking as a pirate captain:")
    assert "Use short words only." in brief


def test_the_answer_mentions_earlier_turns(bedrock: Bedrock) -> None:
    messages = [user("Tell me about tea gardens"), assistant("They are green."), user("And how do I plant one?")]

    assert "Earlier you asked about tea gardens" in text_of(bedrock.stream(messages=messages))


def test_the_answer_mentions_documents(bedrock: Bedrock) -> None:
    document = {"document": {"name": "notes", "format": "md", "source": {"bytes": b"# Rain\nIt rains."}}}

    text = text_of(bedrock.stream(messages=[user("Sum this up", document)]))

    assert "I have your document “notes” (MD, 16 bytes)." in text
    assert "It begins with “# Rain It rains.”" in text


def test_any_prefill_gets_an_answer(bedrock: Bedrock) -> None:
    events = bedrock.stream(CLAUDE, messages=[user("About tea"), assistant("My own words, namely")])

    assert text_of(events)
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
