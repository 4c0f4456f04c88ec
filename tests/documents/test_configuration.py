"""docs/reference.md has every setting once, with its default; the policy of docs/configuration.md allows the calls."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([A-Z_]+)` \| (\S+) \| (.+) \|$", REFERENCE, re.MULTILINE)


def written(default: Any) -> str:
    """Return a default as the page writes it."""
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{json.dumps(default)}`" if isinstance(default, dict) else f"`{default}`"


def test_the_reference_has_every_setting_once() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize(("name", "default", "meaning"), ROWS, ids=[name for name, _, _ in ROWS])
def test_a_setting_has_its_default_and_its_meaning(name: str, default: str, meaning: str) -> None:
    assert default == written(Settings.model_fields[name.lower()].default)
    assert len(meaning) > 10


def test_the_policy_of_the_guide_allows_the_calls_of_the_service() -> None:
    (link,) = re.findall(r"\]\(\.\./(deploy/iam/bedrock\.json)\)", GUIDE)
    statements = json.loads((ROOT / link).read_text())["Statement"]

    allowed = [statement["Action"] for statement in statements]
    assert {action for entry in allowed for action in ([entry] if isinstance(entry, str) else entry)} == {
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
        "bedrock:GetInferenceProfile",
        "bedrock:CountTokens",
        "bedrock:ApplyGuardrail",
    }
