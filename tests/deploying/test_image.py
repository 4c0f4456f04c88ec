"""The image. Nothing here builds it: that takes Docker. What can be held to something without it is."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploying.dockerfile import Instruction, last, stages
from tests.deploying.manifests import DEPLOY, ROOT
from tests.deploying.starting import image_variables, started

DOCKERFILE = DEPLOY / "Dockerfile"
BUILD, IMAGE = stages(DOCKERFILE)


def copied_from_the_tree() -> list[str]:
    return [
        source
        for stage in (BUILD, IMAGE)
        for copy in stage
        if copy.word == "COPY" and "--from" not in copy.rest
        for source in copy.arguments[:-1]
    ]


def let_in(path: str) -> bool:
    """Whether the ignore file lets a path into the build; the last line that matches counts."""
    allowed = True
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parts = [path, *map(str, Path(path).parents)][:-1]
        if line and not line.startswith("#"):
            matches = any(fnmatch(part, pattern) or fnmatch(f"/{part}", pattern.replace("**", "*")) for part in parts)
            allowed = line.startswith("!") if matches else allowed
    return allowed


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    said = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_into_the_build() -> None:
    sources = copied_from_the_tree()

    assert "service" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert let_in(source), source


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "artesian.db", ".git/config", "deploy/compose/keys/keys.json", "tests/harness.py"),
        *("keys.json", "service/__pycache__/app.cpython-313.pyc", ".venv/bin/python"),
    ],
)
def test_nothing_else_gets_into_the_build(path: str) -> None:
    assert not let_in(path)
    assert let_in("service/web/index.html")


def test_what_is_installed_is_locked_by_hashes_and_nothing_else_is_asked_of_an_index() -> None:
    installs = [run.rest for run in BUILD if run.word == "RUN" and "pip --python" in run.rest]

    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert len(installs) == 2
    assert all("--no-deps" in line for line in installs)
    assert not any("pip " in run.rest for run in IMAGE)


def test_both_stages_have_one_base_by_tag_which_a_digest_can_replace() -> None:
    (argument,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert re.fullmatch(r"python:3\.\d+-slim(@sha256:[0-9a-f]{64})?", argument)
    assert [stage[0].arguments[0] for stage in (BUILD, IMAGE)] == ["${PYTHON}"] * 2


def test_it_runs_as_a_number_that_is_not_root_and_owns_the_folder_it_writes_to() -> None:
    user = last(IMAGE, "USER").rest
    volume = last(IMAGE, "VOLUME").rest

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert last(IMAGE, "WORKDIR").rest == volume == image_variables()["HOME"]
    owner, group = user.split(":")
    made = next(run.rest for run in IMAGE if run.word == "RUN" and volume in run.rest)
    assert f"--owner={owner} --group={group}" in made
    assert [instruction.word for instruction in IMAGE].index("VOLUME") > IMAGE.index(Instruction("RUN", made))


def test_its_variables_are_settings_that_do_not_start_without_a_word_on_who_may_call() -> None:
    settings = started({"ARTESIAN_ALLOW_ANONYMOUS": "true"})

    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")
    assert last(IMAGE, "EXPOSE").rest == str(settings.port)
    with pytest.raises(Exception, match="ARTESIAN_ALLOW_ANONYMOUS"):
        started({})


def test_the_signal_reaches_the_command_itself() -> None:
    command = [*last(IMAGE, "ENTRYPOINT").command, *last(IMAGE, "CMD").command]

    assert command == ["artesian", "serve"]
    assert last(IMAGE, "STOPSIGNAL").rest == "SIGTERM"
