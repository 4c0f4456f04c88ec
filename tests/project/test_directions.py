"""That the check of the imports has teeth: each case is a file that must not be, in a copy of the package."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BROKEN = {
    "the ground imports a room": ("deltas.py", "import service.settings", "service.deltas imports service.settings"),
    "a dialect reaches the engine": (
        "dialects/odd.py",
        "import service.engine",
        "service.dialects.odd imports service.engine",
    ),
    "a dialect reaches the stream": ("dialects/odd.py", "import service.streams.log", "service.streams.log"),
    "a dialect reads settings": ("dialects/odd.py", "import service.settings", "service.settings"),
    "the engine speaks a dialect": ("engine/odd.py", "import service.dialects.sse", "service.dialects.sse"),
    "the local Bedrock uses our client": ("local/odd.py", "import service.bedrock.client", "service.bedrock.client"),
    "a router starts the local Bedrock": (
        "routers/odd.py",
        "import service.local",
        "service.routers.odd imports service.local",
    ),
    "another module uses the SDK": ("engine/odd.py", "import aioboto3", "service.engine.odd imports aioboto3"),
    "the ground uses the SDK's HTTP client": (
        "bedrock/odd.py",
        "import aiohttp",
        "service.bedrock.odd imports aiohttp",
    ),
    "the Python client imports the service": (
        "../artesian/odd.py",
        "import service.deltas",
        "artesian.odd imports service.deltas",
    ),
    "the service imports the Python client": (
        "engine/odd.py",
        "import artesian",
        "service.engine.odd imports artesian",
    ),
    "an import hides in a function": ("deltas.py", "def odd() -> None:\n    import service.app", "imports service.app"),
    "a new room has no line": ("helpers.py", "", "service.helpers is in no room"),
    "a new package has no line": ("core/things.py", "", "service.core.things is in no room"),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "service", tmp_path / "service", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "artesian", tmp_path / "artesian", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "plugins", tmp_path / "tests" / "plugins")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path / "service"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the check as `make lint` does."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True, timeout=50)


def add(package: Path, name: str, text: str) -> None:
    """Write `text` at the end of a module, which is made, with its package, where it is not there."""
    module = package / name
    module.parent.mkdir(exist_ok=True)
    (module.parent / "__init__.py").touch()
    with module.open("a") as file:
        file.write(f"\n{text}\n")


def test_the_package_keeps_to_the_directions(package: Path) -> None:
    ended = check(package.parent)

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(("name", "text", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_direction_is_refused(name: str, text: str, sentence: str, package: Path) -> None:
    for room in ("engine", "local", "routers"):
        add(package, f"{room}/__init__.py", "")
    for module in ("app.py", "bedrock/client.py"):
        add(package, module, "")
    add(package, name, text)

    ended = check(package.parent)

    assert ended.returncode == 1
    assert sentence in ended.stdout
