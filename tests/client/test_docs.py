"""The client works when it is copied as docs/python.md describes. tests/documents runs its examples."""

import asyncio
import sys
from pathlib import Path

from tests.harness import running
from tests.waiting import patience

ROOT = Path(__file__).parents[2]


async def test_a_copy_of_the_client_works(tmp_path: Path) -> None:
    async with running() as service:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'cp -r "{ROOT}/artesian" copied && "{sys.executable}" -I -c "{COPIED}"'),
            cwd=tmp_path,
            env={"ARTESIAN_URL": service.url, "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE,
        )
        async with patience():
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
