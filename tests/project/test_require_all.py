"""What the plugin makes of skips, shown by a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

KINDS = """
import pytest

@pytest.fixture
def page():
    pytest.skip("no page here")

def test_by_its_fixture(page):
    pass

def test_by_itself():
    pytest.skip("no browser here")

@pytest.mark.skipif(True, reason="no node here")
def test_by_a_mark():
    pass

@pytest.mark.xfail
def test_that_is_expected_to_fail():
    assert False
"""

MODULE = "import pytest\npytest.skip('no server here', allow_module_level=True)"


QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other people's plugins, which take seconds to load


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a project of skips with the plugin."""
    (folder / "test_kinds.py").write_text(KINDS)
    (folder / "test_module.py").write_text(MODULE)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -ptests.plugins.require_all -rs -pno:cacheprovider\n")
    without = {name: value for name, value in os.environ.items() if name != "ARTESIAN_REQUIRE_ALL"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors"],
        cwd=folder,
        env={**without, "PYTHONPATH": str(ROOT), **QUICK, **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )


def test_a_skip_shows_its_reason(tmp_path: Path) -> None:
    ended = run(tmp_path)

    assert ended.returncode == 0
    assert "4 skipped, 1 xfailed" in ended.stdout
    assert all(f"no {thing} here" in ended.stdout for thing in ("page", "browser", "node", "server"))


def test_a_skip_fails_where_everything_is_required(tmp_path: Path) -> None:
    ended = run(tmp_path, ARTESIAN_REQUIRE_ALL="1")

    assert ended.returncode == 1
    assert "1 failed, 1 xfailed, 3 errors" in ended.stdout
    assert all(f"no {thing} here" in ended.stdout for thing in ("page", "browser", "node", "server"))
    assert "ARTESIAN_REQUIRE_ALL=1: what this test needs has to be here." in ended.stdout
