"""Make `.venv` from a lock: `python3 requirements/environment.py run` (or `test`). Standard library only.

Asked again it does nothing, unless a lock, `pyproject.toml`, the Python or the folder has changed. An environment whose
making was broken off is made anew. Two of these at once wait for each other.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # said before anything below needs it
    sys.exit(
        "Artesian needs Python 3.11 or newer, and {} is {}.{}: say `make PYTHON=python3.12 …` with one that is.".format(
            sys.executable, *sys.version_info
        )
    )

import fcntl
import hashlib
import json
import os
import subprocess
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MADE = VENV / "made.stamp"
UNFINISHED = VENV / "unfinished.stamp"

# The test lock holds all of the run lock (a test compares), so what is good for `test` is good for `run`.
SERVED_BY = {"run": ("run", "test"), "test": ("test",)}


def main(name: str) -> None:
    """Make the environment called `name`, unless it is there."""
    with alone():
        if not usable():
            make()
        if any(installed(lock) for lock in SERVED_BY[name]):
            return
        UNFINISHED.touch()
        install(name)
        stamp(name).write_text(wanted(name))
        UNFINISHED.unlink()


@contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time into the block: `make run` and `make test` may start together."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def stamp(lock: str) -> Path:
    """Where it is written down what was installed from `lock`."""
    return VENV / f"{lock}.stamp"


def installed(lock: str) -> bool:
    """Whether what is wanted of `lock` is what was installed from it."""
    return stamp(lock).exists() and stamp(lock).read_text() == wanted(lock)


def lockfile(lock: str) -> Path:
    """Where the pins and their hashes are."""
    return ROOT / "requirements" / f"{lock}.lock"


def wanted(lock: str) -> str:
    """A fingerprint of all that decides what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    decides = json.dumps([project["build-system"], project["project"], project["tool"]["hatch"]])
    return hashlib.sha256(lockfile(lock).read_bytes() + decides.encode()).hexdigest()


def birth() -> str:
    """What an environment is tied to: the Python it was made with, and the folder that its scripts name."""
    return f"{sys.version}\n{VENV}\n"


def usable() -> bool:
    """Whether `.venv` was finished, in this folder, with this Python, and still starts."""
    return not UNFINISHED.exists() and MADE.exists() and MADE.read_text() == birth() and os.access(PYTHON, os.X_OK)


def make() -> None:
    """Make an empty environment in place of whatever is there."""
    base = getattr(sys, "_base_executable", sys.executable)  # never the environment that is being replaced
    if subprocess.run([base, "-m", "venv", "--clear", VENV], check=False).returncode:
        sys.exit(
            "Python could not make .venv. Where its venv module is a package of its own, install that: python3-venv."
        )
    MADE.write_text(birth())


def install(name: str) -> None:
    """Install what `name`'s lock holds, then the project itself, for which no network is needed any more."""
    print(f"Installing requirements/{name}.lock into .venv: a minute or so, once.", file=sys.stderr)
    locked = ["--require-hashes", "--requirement", str(lockfile(name))]
    itself = ["--no-index", "--no-build-isolation", "--editable", str(ROOT)]
    for arguments in (locked, itself):
        pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        if subprocess.run([*pip, "--no-deps", *arguments], check=False).returncode:  # a lock has all of them
            sys.exit("pip could not install that, and says why above. The next try starts from an empty .venv.")


if __name__ == "__main__":
    main(sys.argv[1])
