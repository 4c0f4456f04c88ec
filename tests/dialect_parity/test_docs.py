"""That docs/clients.md names the clients that are tried. Its examples are run by tests/documents."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()


def test_the_clients_in_javascript_are_those_that_are_tried() -> None:
    locked = (Path(__file__).parents[1] / "node" / "package.json").read_text()

    for name, version in re.findall(r'"(openai|@anthropic-ai/sdk|ai)": "(\d+\.\d+)', locked):
        assert f"{name} {version}" in PAGE
