"""That the client works where docs/python.md says it may be copied to. Its examples are run by tests/documents."""

import asyncio
import sys
from pathlib import Path

from tests.harness import running
from tests.waiting import patience

ROOT = Path(__file__).parents[2]


async def test_the_client_works_where_it_is_copied_to(tmp_path: Path) -> None:
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
