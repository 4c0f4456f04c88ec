"""docs/configuration.md has every setting once, with the default that it has, and the policy allows what is called."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([A-Z_]+)` \| (\S+) \| (.+) \|$", PAGE, re.MULTILINE)


def written(default: Any) -> str:
    """A default as the page writes it."""
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{json.dumps(default)}`" if isinstance(default, dict) else f"`{default}`"


def test_every_setting_is_there_once() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize(("name", "default", "when"), ROWS, ids=[name for name, _, _ in ROWS])
def test_a_setting_has_its_default_and_a_reason_to_change_it(name: str, default: str, when: str) -> None:
    assert default == written(Settings.model_fields[name.lower()].default)
    assert len(when) > 10


def test_the_policy_that_the_page_leads_to_allows_what_the_service_calls() -> None:
    (link,) = re.findall(r"\]\(\.\./(deploy/iam/bedrock\.json)\)", PAGE)
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
