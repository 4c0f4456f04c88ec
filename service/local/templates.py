"""Reads raw prompts: which turns a template makes, and how much of the answer is there already."""

import re
from collections import deque

from msgspec import Struct

from service.local.prompt import PromptText, PromptTurn

_KEPT = 256  # prompts


class TemplatePrompt(Struct, frozen=True):
    """A raw prompt, read."""

    turns: tuple[PromptTurn, ...]
    system: str = ""
    so_far: str = ""


class Template(Struct, frozen=True):
    """How a family marks its turns: patterns for the beginnings, and what else is only decoration."""

    user: str
    assistant: str
    system: str = r"(?!)"
    decoration: str = r"(?!)"

    def read(self, prompt: str) -> TemplatePrompt | None:
        """Read a prompt; None where it holds no mark at all."""
        marks = re.compile(f"(?P<user>{self.user})|(?P<assistant>{self.assistant})|(?P<system>{self.system})")
        found = list(marks.finditer(prompt))
        if not found:
            return None
        system, turns = [prompt[: found[0].start()]], []
        ends = [mark.start() for mark in found[1:]] + [len(prompt)]
        for mark, end in zip(found, ends, strict=True):
            said = re.sub(self.decoration, "", prompt[mark.end() : end])
            if mark.lastgroup == "system":
                system.append(said)
            else:
                turns.append(PromptTurn("user" if mark.lastgroup == "user" else "assistant", (PromptText(said),)))
        so_far = turns.pop().text if turns and turns[-1].role == "assistant" else ""
        turns, inner = _without_inner_system(turns)
        told = re.sub(self.decoration, "", "\n".join([*system, *inner])).strip()
        return TemplatePrompt(tuple(_trimmed(turn) for turn in turns), told, so_far)


def _without_inner_system(turns: list[PromptTurn]) -> tuple[list[PromptTurn], list[str]]:
    """Take Llama 2's system text out of the first turn."""
    inner: list[str] = []
    plain: list[PromptTurn] = []
    for number, turn in enumerate(turns):
        text, within = _cut_out(turn.text, "<<SYS>>", "<</SYS>>")
        inner += within if number == 0 else []
        plain.append(PromptTurn(turn.role, (PromptText(text),)))
    return plain, inner


def _cut_out(text: str, begin: str, end: str) -> tuple[str, list[str]]:
    """Part a text from what stands between two marks, in linear time also where the second one is missing."""
    outside, inside, at = [], [], 0
    while (start := text.find(begin, at)) >= 0 and (stop := text.find(end, start + len(begin))) >= 0:
        outside.append(text[at:start])
        inside.append(text[start + len(begin) : stop])
        at = stop + len(end)
    return "".join([*outside, text[at:]]), inside


def _trimmed(turn: PromptTurn) -> PromptTurn:
    return PromptTurn(turn.role, (PromptText(turn.text.strip()),))


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
"""What people write for models that have no template of their own: Titan, Command, Jurassic."""


class Remembered:
    """The raw prompts answered lately, by which a prompt without any mark is told from one with the answer so far."""

    def __init__(self) -> None:
        self._prompts: deque[str] = deque(maxlen=_KEPT)

    def read(self, template: Template, prompt: str) -> list[TemplatePrompt]:
        """Read a prompt in every way it may be meant, the likeliest first."""
        if script := template.read(prompt):
            return [script]
        # The shortest first: what was asked before anything was answered.
        known = sorted((said for said in self._prompts if prompt.startswith(said) and said != prompt), key=len)
        if prompt not in self._prompts:
            self._prompts.append(prompt)
        return [*(_plain(earlier, prompt[len(earlier) :]) for earlier in known), _plain(prompt)]


def _plain(prompt: str, so_far: str = "") -> TemplatePrompt:
    return TemplatePrompt((PromptTurn("user", (PromptText(prompt),)),), "", so_far)
