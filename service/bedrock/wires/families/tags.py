"""Reasoning that some models write into their text, between tags; a tag may be cut across pieces."""

from typing import Literal

Where = Literal["anywhere", "at the start", "from the start"]


class Tagged:
    """Sorts pieces of text into text and reasoning.

    `anywhere`       gpt-oss wraps each piece of its reasoning in tags of its own
    `at the start`   Qwen3 and its like: what stands before the closing tag, where the text begins with the opening one
    `from the start` DeepSeek R1: the prompt has the opening tag, the answer begins inside
    """

    def __init__(self, tag: str, where: Where) -> None:
        self._opening, self._closing = f"<{tag}>", f"</{tag}>"
        self._where = where
        self._inside = where == "from the start"
        self._settled = False  # nothing more of this answer can be reasoning
        self._held = ""

    def split(self, piece: str) -> list[tuple[bool, str]]:
        """Sort one piece; the first of each pair says whether it is reasoning. What may yet be a tag is held back."""
        self._held += piece
        parts: list[tuple[bool, str]] = []
        while self._held and self._step(parts):
            pass
        return parts

    def flush(self) -> list[tuple[bool, str]]:
        """Give what was held back, when no more comes."""
        held, self._held = self._held, ""
        return [(self._inside, held)] if held else []

    def _step(self, parts: list[tuple[bool, str]]) -> bool:
        """Take what can be taken from the front; False: more has to come first."""
        if self._settled:
            parts.append((False, self._held))
            self._held = ""
            return False
        if not self._inside and self._where == "at the start":
            return self._begin()
        tag = self._closing if self._inside else self._opening
        before, found, after = self._held.partition(tag)
        if found:
            if before:
                parts.append((self._inside, before))
            self._held = after
            self._inside = not self._inside
            self._settled = not self._inside and self._where != "anywhere"
            return True
        keep = _begun(self._held, tag)
        if keep < len(self._held):
            parts.append((self._inside, self._held[: len(self._held) - keep]))
            self._held = self._held[len(self._held) - keep :]
        return False

    def _begin(self) -> bool:
        """Find out whether the answer begins with the tag; white space before the tag is dropped with it."""
        begun = self._held.lstrip()
        if begun.startswith(self._opening):
            self._held = begun.removeprefix(self._opening)
            self._inside = True
            return True
        if self._opening.startswith(begun):
            return False
        self._settled = True
        return True


def _begun(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`."""
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if tag.startswith(text[-length:]):
            return length
    return 0
