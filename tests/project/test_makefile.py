import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PROMISED = {"help", "run", "test", "quick", "fmt", "lint", "types", "bench", "soak", "lock", "clean"}

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not here")


def make(*arguments: str) -> str:
    """What make prints."""
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout


def test_the_targets_are_those_promised() -> None:
    targets = re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)

    assert set(targets) == PROMISED
    assert set(phony.split()) == PROMISED


def test_make_alone_lists_every_target_with_its_meaning() -> None:
    listed = dict(re.findall(r"^make ([a-z]+) +(\S.+)$", make(), re.MULTILINE))

    assert listed.keys() == PROMISED
    assert make() == make("help")


def test_a_python_that_is_not_there_is_one_clear_sentence() -> None:
    command = [shutil.which("make") or "make", "types", "PYTHON=python0"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0].startswith("There is no python0 here: Artesian needs Python 3.11 or newer")
