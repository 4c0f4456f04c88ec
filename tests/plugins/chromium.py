"""The Chromium that tests drive: no Python package brings one, so it is looked for."""

import os
import shutil

import pytest

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

# Without these a browser asks its maker's servers for things at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """The path of a Chromium, or a skip."""
    found = os.environ.get("ARTESIAN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no Chromium is here: ARTESIAN_CHROMIUM, or one of these on PATH: " + ", ".join(NAMES))
    return found
