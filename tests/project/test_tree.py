"""What no file of the project may say, and what each has to be."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written apart, or this file would be the first to be found.
REGISTRIES = ["pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "debian" + ".org", "index" + "-url"]
FOLDERS = "(work|farm|root|Users|home/[a-z]+)"


def tracked() -> list[Path]:
    """The files that git knows."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this tree is no git repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607 - found just above
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: str) -> list[str]:
    """The lines of text files that match, with their places."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line[:120]}"
        for path in tracked()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert lines_with("|".join(map(re.escape, REGISTRIES))) == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert lines_with(rf"(?<![\w.}}/])/{FOLDERS}/[A-Za-z.]") == []


def test_no_secret_of_aws_is_in_the_tree() -> None:
    assert lines_with(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b(?<!EXAMPLE)") == []


@pytest.mark.parametrize("script", [".ci/run"])
def test_a_script_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    assert re.search(r"^make .*\btest$", (ROOT / script).read_text(), re.MULTILINE)
