"""That the examples of docs/python.md run as they stand."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.harness import Service, running

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_an_example_runs_as_it_stands(service: Service, example: str) -> None:
    await run(example, service)


async def run(example: str, service: Service) -> None:
    """Run a program, with every warning an error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", example),
        cwd=ROOT,
        env={"ARTESIAN_URL": service.url, "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert out


async def test_the_client_works_where_it_is_copied_to(tmp_path: Path) -> None:
    async with running() as service:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'cp -r "{ROOT}/service/client" copied && "{sys.executable}" -I -c "{COPIED}"'),
            cwd=tmp_path,
            env={"ARTESIAN_URL": service.url, "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, _ = await process.communicate()

    assert out == b"True\n"


COPIED = """
import sys
sys.path[:0] = ['.']
from copied import Artesian
with Artesian() as artesian:
    said = artesian.generate('Hi').text
print(bool(said) and not any(name.partition('.')[0] == 'service' for name in sys.modules))
"""
