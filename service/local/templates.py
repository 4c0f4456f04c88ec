"""Parses raw prompts: their turns, their system text, and the beginning of the answer."""

import re
from collections import deque

from msgspec import Struct

from service.local.prompt import PromptText, PromptTurn

_MAX_PROMPTS = 256


class TemplatePrompt(Struct, frozen=True):
    """A parsed raw prompt. `so_far`: the beginning of the answer."""

    turns: tuple[PromptTurn, ...]
    system: str = ""
    so_far: str = ""


class Template(Struct, frozen=True):
    """A family's prompt template: the patterns that start a turn. `decoration`: tokens without content."""

    user: str
    assistant: str
    system: str = r"(?!)"
    decoration: str = r"(?!)"

    def read(self, prompt: str) -> TemplatePrompt | None:
        """Parse a prompt; None if no pattern matches."""
        marks = re.compile(f"(?P<user>{self.user})|(?P<assistant>{self.assistant})|(?P<system>{self.system})")
        found = list(marks.finditer(prompt))
        if not found:
            return None
        system, turns = [prompt[: found[0].start()]], []
        ends = [mark.start() for mark in found[1:]] + [len(prompt)]
        for mark, end in zip(found, ends, strict=True):
            text = re.sub(self.decoration, "", prompt[mark.end() : end])
            if mark.lastgroup == "system":
                system.append(text)
            else:
                turns.append(PromptTurn("user" if mark.lastgroup == "user" else "assistant", (PromptText(text),)))
        so_far = turns.pop().text if turns and turns[-1].role == "assistant" else ""
        trimmed = []
        for number, turn in enumerate(turns):
            text, inner = _split_marked(turn.text, "<<SYS>>", "<</SYS>>")
            system += inner if number == 0 else []  # Llama 2's system text is part of the first turn
            trimmed.append(PromptTurn(turn.role, (PromptText(text.strip()),)))
        return TemplatePrompt(tuple(trimmed), re.sub(self.decoration, "", "\n".join(system)).strip(), so_far)


def _split_marked(text: str, begin: str, end: str) -> tuple[str, list[str]]:
    """Split a text from its parts between two marks, in linear time even if the second mark is missing."""
    outside, inside, at = [], [], 0
    while (start := text.find(begin, at)) >= 0 and (stop := text.find(end, start + len(begin))) >= 0:
        outside.append(text[at:start])
        inside.append(text[start + len(begin) : stop])
        at = stop + len(end)
    return "".join([*outside, text[at:]]), inside


CLAUDE = Template(r"\n\nHuman:", r"\n\nAssistant:")
INSTRUCTIONS = Template(r"\[INST\]", r"\[/INST\]", decoration=r"</?s>")
LLAMA_3 = Template(
    r"<\|start_header_id\|>user<\|end_header_id\|>\n\n",
    r"<\|start_header_id\|>assistant<\|end_header_id\|>\n\n",
    r"<\|start_header_id\|>system<\|end_header_id\|>\n\n",
    r"<\|eot_id\|>|<\|begin_of_text\|>",
)
LLAMA_4 = Template(
    r"<\|header_start\|>user<\|header_end\|>\n\n",
    r"<\|header_start\|>assistant<\|header_end\|>\n\n",
    r"<\|header_start\|>system<\|header_end\|>\n\n",
    r"<\|eot\|>|<\|begin_of_text\|>",
)
DEEPSEEK = Template(r"<｜User｜>", r"<｜Assistant｜>", decoration=r"<｜(begin|end)▁of▁sentence｜>")  # noqa: RUF001 theirs
LABELS = Template(
    r"(?:^|\n)(?:User|Human|Question|Q):", r"(?:^|\n)(?:Bot|Chatbot|Assistant|Answer|AI|A):", r"(?:^|\n)System:"
)
"""The usual labels of prompts for models without a template: Titan, Command, Jurassic."""


class PromptMemory:
    """The latest raw prompts: a prompt without marks that extends one of them contains the beginning of an answer."""

    def __init__(self) -> None:
        self._prompts: deque[str] = deque(maxlen=_MAX_PROMPTS)

    def read(self, template: Template, prompt: str) -> list[TemplatePrompt]:
        """Parse a prompt in every possible way, the most likely first."""
        if parsed := template.read(prompt):
            return [parsed]
        # The shortest first: it is the prompt without any answer.
        known = sorted((known for known in self._prompts if prompt.startswith(known) and known != prompt), key=len)
        if prompt not in self._prompts:
            self._prompts.append(prompt)
        return [*(_plain(earlier, prompt[len(earlier) :]) for earlier in known), _plain(prompt)]


def _plain(prompt: str, so_far: str = "") -> TemplatePrompt:
    return TemplatePrompt((PromptTurn("user", (PromptText(prompt),)),), "", so_far)
