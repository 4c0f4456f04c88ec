"""What each extra brings and what a missing one says, in a new environment made from this environment's packages.

The environment is built without network: our wheel is built and installed by the locked build backend, and each
dependency that its metadata asks for is linked from the test environment, where the lock has installed it.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.running import running

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

MISSING = {
    "valkey": ({"journal_url": "valkey://127.0.0.1:1"}, "The Valkey journal"),
    "postgres": ({"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/x"}, "The PostgreSQL database"),
    "encryption": ({"encryption_key": KEY}, "Encryption at rest"),
    "otel": ({"otel": "http://127.0.0.1:1"}, "Trace export"),
}
COMMANDS = {
    "serve": ["serve", "--port", "0"],
    "serve with two workers": ["serve", "--port", "0", "--workers", "2"],
    "ask --local": ["ask", "Hi", "--local"],
}


class Environment:
    """A new virtual environment with our wheel and chosen dependencies."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        self.artesian = folder / "bin" / "artesian"
        self._packages = next(folder.glob("lib/python3.*/site-packages"))
        self.linked: set[str] = set()

    def link(self, requirement: Requirement) -> None:
        """Link a requirement's distribution, and those that it requires."""
        name = canonicalize_name(requirement.name)
        found = distribution(name)
        if name not in self.linked:
            self.linked.add(name)
            for entry in _entries(found):
                link = self._packages / entry
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(Path(str(found.locate_file(entry))).resolve())
        for further in _requirements(found, requirement.extras):
            if canonicalize_name(further.name) not in self.linked:
                self.link(further)

    def run(self, *command: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment to its end, with these settings alone."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARTESIAN_", "PYTHON"))}
        return subprocess.run(
            [str(self.python.parent / command[0]), *command[1:]],
            cwd=folder,
            env=clean | {_variable(name): value for name, value in settings.items()},
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )


def _variable(setting: str) -> str:
    return "OTEL_EXPORTER_OTLP_ENDPOINT" if setting == "otel" else f"ARTESIAN_{setting.upper()}"


def _requirements(found: Distribution, extras: set[str]) -> list[Requirement]:
    asked = [Requirement(line) for line in found.requires or []]
    return [
        each for each in asked if not each.marker or any(each.marker.evaluate({"extra": x}) for x in extras or {""})
    ]


def _entries(found: Distribution) -> set[str]:
    """List the files, packages and metadata folders of a distribution; a namespace package by what lies in it."""
    files = {str(file) for file in found.files or [] if not {"..", "__pycache__"} & set(file.parts)}
    entries = set()
    for file in files:
        parents = [str(parent) for parent in reversed(Path(file).parents[:-1])]
        whole = (each for each in parents if f"{each}/__init__.py" in files or each.endswith("-info"))
        entries.add(next(whole, file))
    return entries


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True, timeout=50)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make(wheel: Path, folder: Path, extra: str | None) -> Environment:
    """Make an environment that has what `pip install artesian[extra]` would bring."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=50)
    options = ["--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, *options, str(wheel)], check=True, timeout=50)
    environment = Environment(folder)
    (metadata,) = folder.glob("lib/python3.*/site-packages/artesian-*.dist-info")
    for requirement in _requirements(Distribution.at(metadata), {extra} if extra else set()):
        environment.link(requirement)
    if extra:
        for requirement in _requirements(Distribution.at(metadata), set()):
            environment.link(requirement)
    return environment


@pytest.fixture(scope="module")
def client_only(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make(built, tmp_path_factory.mktemp("client") / "environment", None)


@pytest.fixture(scope="module")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make(built, tmp_path_factory.mktemp("server") / "environment", "server")


def test_without_an_extra_only_httpx_and_its_dependencies_are_installed(client_only: Environment) -> None:
    assert "httpx" in client_only.linked
    assert client_only.linked <= {
        "httpx",
        "httpcore",
        "h11",
        "anyio",
        "idna",
        "certifi",
        "sniffio",
        "typing-extensions",
    }


def test_without_an_extra_the_client_works(client_only: Environment, tmp_path: Path) -> None:
    program = (
        "from artesian import Artesian, AsyncArtesian, Unreachable\n"
        "import sys\n"
        "assert not any(name.split('.')[0] == 'service' for name in sys.modules)\n"
        "with Artesian() as artesian: print(artesian.generate('Hi').text)"
    )
    with running() as service:
        ended = client_only.run("python", "-I", "-c", program, folder=tmp_path, url=service.url)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip()


@pytest.mark.parametrize("arguments", [[], ["--version"], ["serve"], ["ask", "Hi"]])
def test_without_an_extra_the_command_is_one_sentence(
    client_only: Environment, tmp_path: Path, arguments: list[str]
) -> None:
    ended = client_only.run("artesian", *arguments, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (2, "")
    sentence = "artesian: The command artesian needs the extra \"server\": pip install 'artesian[server]'\n"
    assert ended.stderr == sentence


def test_the_server_extra_answers_from_the_local_bedrock(server: Environment, tmp_path: Path) -> None:
    ended = server.run("artesian", "ask", "Hi", "--local", folder=tmp_path, local_rate="0")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip()


def test_the_server_extra_serves_with_sqlite_on_two_workers(server: Environment) -> None:
    with running([str(server.artesian), "serve"], workers="2", journal_url="sqlite:///streams.db") as service:
        service.stop()

    assert "with 2 workers" in service.welcome


def test_the_server_extra_brings_nothing_of_the_others(server: Environment) -> None:
    others = {canonicalize_name(Requirement(line).name) for name in MISSING for line in EXTRAS[name]}

    assert not others & server.linked


CASES = [
    (extra, command)
    for extra in MISSING
    for command in COMMANDS
    if not (command == "ask --local" and extra in {"valkey", "postgres"})  # it uses the memory of its own process
]


@pytest.mark.parametrize(("extra", "command"), CASES)
def test_a_missing_extra_is_one_sentence_and_status_2(
    server: Environment, tmp_path: Path, extra: str, command: str
) -> None:
    settings, feature = MISSING[extra]
    if command == "serve with two workers":
        settings = {"journal_url": "sqlite:///streams.db"} | settings

    ended = server.run("artesian", *COMMANDS[command], folder=tmp_path, **settings)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"artesian: {feature} needs the extra \"{extra}\": pip install 'artesian[{extra}]'\n"


def test_the_extras_are_small_and_all_holds_each() -> None:
    (everything,) = EXTRAS["all"]

    assert len(EXTRAS["server"]) <= 16
    assert Requirement(everything).extras == EXTRAS.keys() - {"all"}


def test_healthz_and_the_command_have_the_same_version(server: Environment, tmp_path: Path) -> None:
    said = server.run("artesian", "--version", folder=tmp_path).stdout
    (version,) = re.findall(r'^__version__ = "(.+)"$', (ROOT / "service" / "__init__.py").read_text(), re.MULTILINE)
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())

    assert said == f"artesian {version}\n"
    assert document["info"]["version"] == version
