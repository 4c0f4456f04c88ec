"""The command line imports only what a command needs, and nothing slow of the service."""

import subprocess
from pathlib import Path

import pytest

from tests.terminal.terminal import ARTESIAN, environment

PYTHON = str(Path(ARTESIAN).parent / "python")

COMMANDS = {
    "help": (["--help"], 0, {"httpx", "artesian"}),
    "version": (["--version"], 0, {"httpx", "artesian"}),
    "a prompt, up to sending it": (["ask", "Hi"], 3, set()),
    "models, up to the request": (["models"], 3, set()),
}
HEAVY = {"fastapi", "pydantic_settings", "sqlalchemy", "botocore", "aiohttp", "uvicorn", "msgspec"}


@pytest.mark.parametrize(("arguments", "status", "further"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_imports_nothing_heavy(arguments: list[str], status: int, further: set[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [PYTHON, "-X", "importtime", ARTESIAN, *arguments],
        cwd=tmp_path,
        env=environment(ARTESIAN_URL="http://127.0.0.1:1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    imported = {
        line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")
    }

    assert ended.returncode == status
    assert "service.cli" in imported
    assert not imported & (HEAVY | further)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    said = subprocess.run(
        [PYTHON, "-m", "service.cli", "--help"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout

    for command in ("serve", "local-bedrock", "ask", "chat", "models"):
        assert f" {command} " in said
