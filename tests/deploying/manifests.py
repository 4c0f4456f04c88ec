"""Reads the files of `deploy/` as their tools do."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.harness import Json

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SLACK_S = 5  # between the planned end and SIGKILL


def documents(path: Path) -> list[Json]:
    """Read the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def document(path: Path) -> Json:
    """Read a YAML or JSON file with one document."""
    (only,) = documents(path)
    return only


def variables(path: Path) -> dict[str, str]:
    """Read a file of variables, as Compose and kustomize do."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def seconds(duration: str) -> float:
    """Parse a duration of Compose: 35s, 1m30s."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def merged(base: Any, over: Any) -> Any:
    """Merge two Compose files: maps are merged, lists are appended, other values and commands are replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() - {"command"}}
        return {**base, **over, **both}
    if isinstance(base, list) and isinstance(over, list):
        return [*base, *over]
    return over


def interpolated(node: Any, environment: dict[str, str]) -> Any:
    """Substitute `${NAME:-default}` as Compose does."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1]) or match[2] or ""

    return json.loads(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, json.dumps(node)))


def compose(*names: str, **environment: str) -> Json:
    """Merge Compose's files."""
    whole: Json = {}
    for name in names:
        whole = merged(whole, document(DEPLOY / "compose" / name))
    filled: Json = interpolated(whole, environment)
    return filled
