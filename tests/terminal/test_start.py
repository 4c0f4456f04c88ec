"""That the command line is there at once. Measured in the processor's time: other tests run beside this one."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.terminal.terminal import ARTESIAN, environment

COMMANDS = {
    "help": (["--help"], 0),
    "a question, up to sending it": (["ask", "Hi"], 3),
    "models, up to asking": (["models"], 3),
}


@pytest.mark.parametrize(("arguments", "status"), COMMANDS.values(), ids=COMMANDS)
def test_it_is_there_within_half_a_second(arguments: list[str], status: int, tmp_path: Path) -> None:
    nowhere = environment(ARTESIAN_URL="http://127.0.0.1:1")
    nowhere = {
        name: value for name, value in nowhere.items() if not name.startswith("COV")
    }  # it slows what it measures
    with Path(os.devnull).open() as nothing:
        process = subprocess.Popen(
            [ARTESIAN, *arguments],
            cwd=tmp_path,
            env={
                name: value for name, value in nowhere.items() if not name.startswith("COV")
            },  # it slows what it measures
            stdin=nothing,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)

    assert process.returncode == status
    assert used.ru_utime + used.ru_stime < 0.5


def test_the_module_is_the_command(tmp_path: Path) -> None:
    said = subprocess.run(
        [str(Path(ARTESIAN).parent / "python"), "-m", "service.cli", "--help"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout

    for command in ("serve", "local-bedrock", "ask", "chat", "models"):
        assert f" {command} " in said
