"""The messages of a chat that are sent, and how they are saved."""

import json
from pathlib import Path

from service.cli.transcript import MOST_MESSAGES, Transcript


def talk(turns: int) -> Transcript:
    """Make a chat of `turns` prompts and answers."""
    transcript = Transcript("a-model", "Be brief.")
    for number in range(turns):
        transcript.add(f"question {number}", f"answer {number}")
    return transcript


def test_the_model_gets_at_most_ten_messages_starting_with_a_users() -> None:
    for turns in range(12):
        shown = talk(turns).asking("now?")
        assert len(shown) == min(2 * turns + 1, MOST_MESSAGES - 1)
        assert [message["role"] for message in shown] == [["user", "assistant"][n % 2] for n in range(len(shown))]
        assert shown[-1] == {"role": "user", "content": "now?"}


def test_a_prompt_without_an_answer_is_not_added() -> None:
    transcript = talk(1)
    transcript.add("lost?", " ", cut=True)

    assert len(transcript.messages) == 2


def test_a_chat_is_saved_as_markdown(tmp_path: Path) -> None:
    transcript = talk(1)
    transcript.add("more?", "Wat\u2028", cut=True)
    transcript.save(tmp_path / "talk.md")

    assert (tmp_path / "talk.md").read_text(encoding="utf-8").split("\n\n") == [
        "# A chat with a-model",
        "**System:** Be brief.",
        "## You",
        "question 0",
        "## Answer",
        "answer 0",
        "## You",
        "more?",
        "## Answer (cut short)",
        "Wat\n",
    ]


def test_without_a_system_prompt_none_is_saved(tmp_path: Path) -> None:
    Transcript("a-model", None).save(tmp_path / "talk.md")

    assert (tmp_path / "talk.md").read_text() == "# A chat with a-model\n"


def test_a_chat_is_saved_as_json_that_can_be_sent_again(tmp_path: Path) -> None:
    transcript = talk(2)
    transcript.save(tmp_path / "talk.json")

    saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert saved["model_id"] == "a-model"
    assert saved["system"] == "Be brief."
    assert saved["messages"] == transcript.asking("x")[:-1]
