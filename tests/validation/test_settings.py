"""Settings that are wrong, as whoever starts the command sees it."""

import os
import subprocess
from pathlib import Path

from tests.project.running import ARTESIAN


def test_each_mistake_is_one_line_that_names_its_variable_and_the_status_is_2(tmp_path: Path) -> None:
    wrong = {
        "ARTESIAN_BACKEND": "azure",
        "ARTESIAN_PORT": "99999",
        "ARTESIAN_MAX_RETRIES": "many",
        "ARTESIAN_FALLBACKS": "{",
    }
    started = serve(tmp_path, wrong)

    lines = started.stderr.strip().splitlines()
    assert started.returncode == 2
    assert started.stdout == ""
    assert sorted(line.removeprefix("artesian: ").partition(":")[0] for line in lines) == sorted(wrong)


def test_mistakes_that_two_settings_make_together_are_told_in_the_same_way(tmp_path: Path) -> None:
    started = serve(tmp_path, {"ARTESIAN_HOST": "0.0.0.0", "ARTESIAN_WORKERS": "2"})

    lines = started.stderr.strip().splitlines()
    assert started.returncode == 2
    assert [line.removeprefix("artesian: ").partition(":")[0] for line in lines] == [
        "ARTESIAN_WORKERS",
        "ARTESIAN_HOST",
    ]


def test_a_family_that_is_none_is_told_before_anybody_asks_for_it(tmp_path: Path) -> None:
    aliases = '{"one": {"id": "arn:x", "family": "nova"}, "two": {"id": "arn:y", "family": "supernova"}}'
    started = serve(tmp_path, {"ARTESIAN_MODEL_ALIASES": aliases})

    (line,) = started.stderr.strip().splitlines()
    assert started.returncode == 2
    assert line.startswith('artesian: ARTESIAN_MODEL_ALIASES (two.family): unknown family "supernova"; use one of ')


def serve(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARTESIAN_")}
    command = [ARTESIAN, "serve"]
    return subprocess.run(
        command, cwd=folder, env=clean | settings, capture_output=True, text=True, timeout=30, check=False
    )
