"""The files of `deploy/`, read as their tools read them."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.harness import Json

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SLACK_S = 5  # between the end that is planned and the kill


def documents(path: Path) -> list[Json]:
    """Read a file of YAML: each of its documents."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def document(path: Path) -> Json:
    """Read a file of YAML or JSON that holds one."""
    (only,) = documents(path)
    return only


def variables(path: Path) -> dict[str, str]:
    """Read a file of variables, as Compose and kustomize do."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def seconds(duration: str) -> float:
    """Read a duration as Compose writes it: 35s, 1m30s."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def merged(base: Any, over: Any) -> Any:
    """Lay one Compose file over another: maps are merged, lists grow, the rest is replaced; so is a command."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() - {"command"}}
        return {**base, **over, **both}
    if isinstance(base, list) and isinstance(over, list):
        return [*base, *over]
    return over


def interpolated(node: Any, environment: dict[str, str]) -> Any:
    """Fill in `${NAME:-default}` as Compose does."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1]) or match[2] or ""

    return json.loads(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, json.dumps(node)))


def compose(*names: str, **environment: str) -> Json:
    """Compose's files as one."""
    whole: Json = {}
    for name in names:
        whole = merged(whole, document(DEPLOY / "compose" / name))
    filled: Json = interpolated(whole, environment)
    return filled
