"""What has been said in a chat: what the model is shown of it, and how it is saved."""

import json
from pathlib import Path
from typing import Any, NamedTuple

MOST_MESSAGES = 10
"""Messages that the model is shown, the new question among them; the system prompt stands beside them."""


class ChatTurn(NamedTuple):
    """One message. `cut`: it was stopped, or broke off."""

    role: str
    text: str
    cut: bool = False


class Transcript:
    """One conversation: questions and answers in turn."""

    def __init__(self, model_id: str | None, system: str | None) -> None:
        self.model_id = model_id
        self.system = system
        self.messages: list[ChatTurn] = []

    def asking(self, question: str) -> list[dict[str, Any]]:
        """The messages to send with a question: the last ones, beginning with one of the user's."""
        shown = [*self.messages, ChatTurn("user", question)][-MOST_MESSAGES:]
        while shown[0].role != "user":
            shown.pop(0)
        return [{"role": message.role, "content": message.text} for message in shown]

    def add(self, question: str, answer: str, *, cut: bool = False) -> None:
        """Keep a question and its answer. One without an answer is not kept: it can be asked again."""
        if answer.strip():
            self.messages += [ChatTurn("user", question), ChatTurn("assistant", answer, cut)]

    def save(self, path: Path) -> None:
        """Write everything to a file: JSON where its name ends in .json, else Markdown.

        Raises:
            OSError: it cannot be written.
        """
        text = self._json() if path.suffix == ".json" else self._markdown()
        path.write_text(text, encoding="utf-8", errors="replace")

    def _json(self) -> str:
        messages = [{"role": message.role, "content": message.text} for message in self.messages]
        body = {"model_id": self.model_id, "system": self.system, "messages": messages}
        return json.dumps(body, ensure_ascii=False, indent=2) + "\n"

    def _markdown(self) -> str:
        parts = [f"# A chat with {self.model_id}"]
        if self.system:
            parts.append(f"**System:** {self.system}")
        for message in self.messages:
            who = "You" if message.role == "user" else "Answer (cut short)" if message.cut else "Answer"
            parts.append(f"## {who}\n\n{message.text.strip()}")
        return "\n\n".join(parts) + "\n"
