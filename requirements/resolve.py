"""Resolve what `pyproject.toml` asks for into `requirements/*.lock`: `make lock`. Standard library only.

The resolver is uv, installed with hash checking into an environment of its own. Pins that still fit are kept unless
`--upgrade` is said. New releases wait seven days, so that a bad one is found by somebody else; `--now NAME` makes an
exception of one package, for a fix that cannot wait. No lock names an index: whoever installs brings their own.
"""

import argparse
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAIT = timedelta(days=7)

# In this order: the run lock takes its pins from the test lock, so that one `.venv` serves both.
LOCKS = {
    "test": ["pyproject.toml", "--extra", "all", "--group", "dev"],
    "run": ["pyproject.toml", "--extra", "all", "--group", "build", "--constraints", "requirements/test.lock"],
    "resolve": ["--group", "resolve"],
}


def main() -> None:
    """Write the locks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    parser.add_argument("--now", action="append", default=[], metavar="NAME", help="do not wait for this package")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uv = resolver(Path(folder))
        for lock, groups in LOCKS.items():
            compile_lock(uv, lock, [*groups, *patience(options.now), *(["--upgrade"] if options.upgrade else [])])


def resolver(folder: Path) -> Path:
    """Install uv into `folder`."""
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([*pip, "--require-hashes", "--requirement", ROOT / "requirements" / "resolve.lock"], check=True)
    return folder / "bin" / "uv"


def patience(now: list[str]) -> list[str]:
    """The options that make the resolver overlook what is younger than `WAIT`, but for the packages in `now`."""
    today = datetime.now(UTC)
    options = ["--exclude-newer", (today - WAIT).isoformat(timespec="seconds")]
    for name in now:
        options += ["--exclude-newer-package", f"{name}={today.isoformat(timespec='seconds')}"]
    return options


def compile_lock(uv: Path, lock: str, options: list[str]) -> None:
    """Write one lock, for every platform and Python from 3.11 on."""
    universal = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    quiet = [
        "--quiet",
        "--no-annotate",
        "--no-strip-extras",
        "--custom-compile-command",
        "make lock",
    ]
    target = ["--output-file", f"requirements/{lock}.lock"]
    if subprocess.run([uv, "pip", "compile", *options, *universal, *quiet, *target], check=False, cwd=ROOT).returncode:
        sys.exit(f"requirements/{lock}.lock is as it was; uv says why above.")


if __name__ == "__main__":
    main()
