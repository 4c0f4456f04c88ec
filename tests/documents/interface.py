"""The OpenAPI document as it stands in the repository: `python -m tests.documents.interface` writes it anew."""

import json
from pathlib import Path

from service.app import create_app
from tests.harness import settings

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def written() -> str:
    """What the file should hold: a line for each member, so that a change shows in a diff."""
    document = create_app(settings()).openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
