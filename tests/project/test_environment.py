"""The maker of `.venv`, on a project that needs no network: it builds itself and depends on nothing."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small"
version = "1"

[tool.hatch]
"""

BACKEND = '''
"""Builds an editable wheel by hand, as hatchling does for the real project."""
import zipfile


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("small.py", "")
        wheel.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n")
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("small-1.dist-info/RECORD", "small.py,,\\n")
    return name
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "environment.py", tmp_path / "requirements")
    for lock in ("run", "test"):
        (tmp_path / "requirements" / f"{lock}.lock").write_text("# nothing\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def make(project: Path, name: str) -> str:
    """Ask for the environment called `name`; what was said tells whether something was installed."""
    command = [sys.executable, "requirements/environment.py", name]
    ended = subprocess.run(command, cwd=project, capture_output=True, check=False, text=True, timeout=50)
    assert ended.returncode == 0, ended.stderr
    assert subprocess.run([project / ".venv" / "bin" / "python", "-c", "import small"], check=False).returncode == 0
    return ended.stderr


def test_it_is_made_once_for_both_and_again_when_a_lock_changes(project: Path) -> None:
    assert "Installing requirements/test.lock" in make(project, "test")
    assert make(project, "test") == ""
    assert make(project, "run") == ""  # the test lock holds the run lock

    (project / "requirements" / "test.lock").write_text("# something else\n")
    with ThreadPoolExecutor() as pool:  # as in two terminals
        said = list(pool.map(make, [project, project], ["test", "test"]))

    assert sum("Installing requirements/test.lock" in words for words in said) == 1
    assert make(project, "run") == make(project, "test") == ""  # neither takes away what the other needs


@pytest.mark.soak  # makes four environments
def test_one_that_was_broken_off_or_moved_is_made_anew(project: Path) -> None:
    make(project, "run")
    leftover = project / ".venv" / "leftover"

    leftover.touch()
    (project / ".venv" / "unfinished.stamp").touch()  # as a kill in the middle of an install leaves it
    assert "Installing" in make(project, "run")
    assert not leftover.exists()

    leftover.touch()
    (project / ".venv" / "bin" / "python").unlink()  # as an upgrade of the system's Python leaves it
    assert "Installing" in make(project, "run")
    assert not leftover.exists()

    moved = project.with_name("moved")
    project.rename(moved)
    assert "Installing" in make(moved, "run")
    assert str(moved) in (moved / ".venv" / "bin" / "pip").read_text()


@pytest.mark.soak  # makes two environments
def test_a_package_that_cannot_be_had_is_said_and_tried_again_from_the_start(project: Path) -> None:
    lock = project / "requirements" / "run.lock"
    lock.write_text("small==9 --hash=sha256:" + "0" * 64)
    command = [sys.executable, "requirements/environment.py", "run"]
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}

    ended = subprocess.run(command, cwd=project, env=nowhere, capture_output=True, check=False, text=True, timeout=50)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("pip could not install that, and says why above.")
    lock.write_text("# nothing\n")
    assert "Installing" in make(project, "run")


def test_an_old_python_is_told_in_one_sentence() -> None:
    source = (ROOT / "requirements" / "environment.py").read_text()
    old = "import sys, collections; sys.version_info = (3, 9, 2)\n"  # the first thing that the script looks at

    ended = subprocess.run(
        [sys.executable, "-c", old + source.replace("from __future__ import annotations\n", "")],
        capture_output=True,
        check=False,
        text=True,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("Artesian needs Python 3.11 or newer")
    assert ended.stderr.count("\n") == 1
