import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LINES = PROJECT["project"]["dependencies"] + [line for name in EXTRAS if name != "all" for line in EXTRAS[name]]
DEPENDENCIES = [Requirement(line) for line in LINES]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def pins(lock: str) -> list[Requirement]:
    """What `lock` pins, one entry for each name and marker."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    return [Requirement(line.rstrip("\\ ")) for line in text.splitlines() if re.match(r"[a-z0-9]", line)]


def asked_for(group: str) -> list[Requirement]:
    """What a dependency group of `pyproject.toml` asks for, its included groups too."""
    asked: list[Requirement] = []
    for entry in PROJECT["dependency-groups"][group]:
        asked += asked_for(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return asked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_and_hashes_everything(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text().rstrip())

    for entry in entries:
        if not entry.startswith("#"):
            first, *hashes = entry.split(" \\\n")
            assert re.fullmatch(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[^ ]+( ; .+)?", first), first
            assert hashes, first
            assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes), first


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_says_no_address(lock: Path) -> None:
    text = lock.read_text()

    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)  # an option, such as an index


def test_the_test_lock_holds_the_whole_run_lock() -> None:
    assert {str(pin) for pin in pins("run")} <= {str(pin) for pin in pins("test")}


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("run", DEPENDENCIES + asked_for("build")),
        ("test", DEPENDENCIES + asked_for("dev")),
        ("resolve", asked_for("resolve")),
    ],
)
def test_a_lock_has_what_the_project_asks_for(lock: str, asked: list[Requirement]) -> None:
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in pins(lock)}

    for requirement in asked:
        assert requirement.specifier.contains(pinned[requirement.name]), requirement


def test_the_run_lock_can_build_the_project() -> None:
    pinned = {pin.name for pin in pins("run")}

    assert set(PROJECT["build-system"]["requires"]) <= pinned


def test_each_dependency_beyond_the_given_stack_has_its_reason() -> None:
    given = {"fastapi", "uvicorn", "aioboto3", "sse-starlette", "pydantic-settings", "httpx"}
    text = (ROOT / "pyproject.toml").read_text()

    for line in LINES:
        if Requirement(line).name not in given:
            assert re.search(rf'"{re.escape(line)}"(,|\]) # \S', text), line
