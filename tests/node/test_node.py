"""Other people's JavaScript clients against the service: OpenAI's, Anthropic's, and the AI SDK with each of them.

They are installed once, by their lock file, outside of this folder.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness import running
from tests.waiting import patience

HERE = Path(__file__).parent
INSTALLED = ("package.json", "package-lock.json", ".npmrc")
INSTALL_S, RUN_S = 180, 50

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(INSTALL_S + RUN_S + 20)]


@pytest.fixture(scope="module")
def clients() -> Iterator[Path]:
    """The clients, ready to be run from a file of this run's own; or a skip."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not here")
    script = installed() / f"clients-{os.getpid()}.mjs"
    shutil.copy(HERE / "clients.mjs", script)
    yield script
    script.unlink()


def installed() -> Path:
    """Install what is locked, unless that has been done."""
    locked = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in INSTALLED)).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "artesian-tests"
    folder = caches / f"node-{locked}"
    caches.mkdir(parents=True, exist_ok=True)
    with (caches / "lock").open("w") as lock:  # for another test process that installs
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            install(folder)
    return folder


def install(folder: Path) -> None:
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for name in INSTALLED:
        shutil.copy(HERE / name, new)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
    try:
        done = subprocess.run(command, cwd=new, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        failed = done.stderr.strip().splitlines()[:1] if done.returncode else None
    except subprocess.TimeoutExpired:
        failed = ["it took too long"]
    if failed is not None:
        pytest.skip(f"the JavaScript clients cannot be installed: {''.join(failed)}")
    new.rename(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(clients: Path) -> AsyncIterator[dict[str, str | None]]:
    """What each check came to: nothing, or what was wrong."""
    async with running(heartbeat=0.01, max_retries=1, retry_budget=1, on_interruption="fail") as service:
        process = await asyncio.create_subprocess_exec(
            *("node", clients.name, service.url),
            cwd=clients.parent,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with patience():
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, said.decode()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith(b'{"name"')]
    yield {line["name"]: line.get("error") for line in lines}


@pytest.mark.parametrize(("maker", "checks"), [("openai", 10), ("anthropic", 7), ("ai with", 9)])
async def test_every_check_of_a_client_holds(told: dict[str, str | None], maker: str, checks: int) -> None:
    its_own = {name: error for name, error in told.items() if name.startswith(maker)}

    assert {name: error for name, error in its_own.items() if error} == {}
    assert len(its_own) == checks
