"""The messages of a chat: what the model gets, and how they are saved."""

import json
from pathlib import Path
from typing import Any, NamedTuple

MOST_MESSAGES = 10
"""Messages that the model gets, including the new prompt; the system prompt is not counted."""


class ChatTurn(NamedTuple):
    """One message. `cut`: it was stopped or interrupted."""

    role: str
    text: str
    cut: bool = False


class Transcript:
    """One conversation: prompts and answers in turn."""

    def __init__(self, model_id: str | None, system: str | None) -> None:
        self.model_id = model_id
        self.system = system
        self.messages: list[ChatTurn] = []

    def asking(self, question: str) -> list[dict[str, Any]]:
        """Return the messages to send with a prompt: the last ones, starting with a user's message."""
        shown = [*self.messages, ChatTurn("user", question)][-MOST_MESSAGES:]
        while shown[0].role != "user":
            shown.pop(0)
        return [{"role": message.role, "content": message.text} for message in shown]

    def add(self, question: str, answer: str, *, cut: bool = False) -> None:
        """Add a prompt and its answer. A prompt without an answer is not added: it can be sent again."""
        if answer.strip():
            self.messages += [ChatTurn("user", question), ChatTurn("assistant", answer, cut)]

    def save(self, path: Path) -> None:
        """Write all messages to a file: JSON if its name ends in .json, else Markdown.

        Raises:
            OSError: it cannot be written.
        """
        if path.suffix == ".json":
            messages = [{"role": message.role, "content": message.text} for message in self.messages]
            body = {"model_id": self.model_id, "system": self.system, "messages": messages}
            text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
        else:
            text = self._markdown()
        path.write_text(text, encoding="utf-8", errors="replace")

    def _markdown(self) -> str:
        parts = [f"# A chat with {self.model_id}"]
        if self.system:
            parts.append(f"**System:** {self.system}")
        for message in self.messages:
            who = "You" if message.role == "user" else "Answer (cut short)" if message.cut else "Answer"
            parts.append(f"## {who}\n\n{message.text.strip()}")
        return "\n\n".join(parts) + "\n"
