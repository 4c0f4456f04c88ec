"""Checks of the Dockerfile that need no Docker; the image is not built."""

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


def is_included(path: str) -> bool:
    """Whether the ignore file includes a path in the build context; the last matching line applies."""
    allowed = True
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parts = [path, *map(str, Path(path).parents)][:-1]
        if line and not line.startswith("#"):
            matches = any(fnmatch(part, pattern) or fnmatch(f"/{part}", pattern.replace("**", "*")) for part in parts)
            allowed = line.startswith("!") if matches else allowed
    return allowed


def test_hadolint_finds_no_error() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    said = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")


def test_copied_files_exist_and_are_in_the_build_context() -> None:
    sources = copied_from_the_tree()

    assert "service" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_included(source), source


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "artesian.db", ".git/config", "deploy/compose/keys/keys.json", "tests/harness.py"),
        *("keys.json", "service/__pycache__/app.cpython-313.pyc", ".venv/bin/python"),
    ],
)
def test_other_files_are_not_in_the_build_context(path: str) -> None:
    assert not is_included(path)
    assert is_included("service/web/index.html")


def test_installed_packages_are_locked_by_hashes_without_an_index() -> None:
    installs = [run.rest for run in BUILD if run.word == "RUN" and "pip --python" in run.rest]

    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert len(installs) == 2
    assert all("--no-deps" in line for line in installs)
    assert not any("pip " in run.rest for run in IMAGE)


def test_both_stages_have_the_same_base_which_a_digest_can_replace() -> None:
    (argument,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert re.fullmatch(r"python:3\.\d+-slim(@sha256:[0-9a-f]{64})?", argument)
    assert [stage[0].arguments[0] for stage in (BUILD, IMAGE)] == ["${PYTHON}"] * 2


def test_the_image_runs_as_a_numeric_user_that_owns_its_writable_folder() -> None:
    user = last(IMAGE, "USER").rest
    volume = last(IMAGE, "VOLUME").rest

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert last(IMAGE, "WORKDIR").rest == volume == image_variables()["HOME"]
    owner, group = user.split(":")
    made = next(run.rest for run in IMAGE if run.word == "RUN" and volume in run.rest)
    assert f"--owner={owner} --group={group}" in made
    assert [instruction.word for instruction in IMAGE].index("VOLUME") > IMAGE.index(Instruction("RUN", made))


def test_the_images_variables_require_keys_or_explicit_anonymous_access() -> None:
    settings = started({"ARTESIAN_ALLOW_ANONYMOUS": "true"})

    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")
    assert last(IMAGE, "EXPOSE").rest == str(settings.port)
    with pytest.raises(Exception, match="ARTESIAN_ALLOW_ANONYMOUS"):
        started({})


def test_the_command_receives_the_signal() -> None:
    command = [*last(IMAGE, "ENTRYPOINT").command, *last(IMAGE, "CMD").command]

    assert command == ["artesian", "serve"]
    assert last(IMAGE, "STOPSIGNAL").rest == "SIGTERM"
