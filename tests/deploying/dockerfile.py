"""Parses a Dockerfile into its instructions. hadolint checks that it is valid."""

import json
import re
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, with its lines joined."""

    word: str
    rest: str

    @property
    def command(self) -> list[str]:
        """The executed command of an instruction in the exec form; the shell form is an error."""
        found: list[str] = json.loads(self.rest)
        return found

    @property
    def arguments(self) -> list[str]:
        """The instruction's words, without options."""
        return [word for word in self.rest.split() if not word.startswith("--")]


def stages(path: Path) -> list[list[Instruction]]:
    """Read a Dockerfile: the instructions of each stage, `FROM` first."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in joined.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(word, rest.strip()))
    return found


def last(stage: list[Instruction], word: str) -> Instruction:
    """Return the last instruction of a kind, which is the effective one."""
    return [instruction for instruction in stage if instruction.word == word][-1]
