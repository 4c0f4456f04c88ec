"""What docs/clients.md tells people to type does what it says."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.harness import Service

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
OF_SDKS = [block for block in BLOCKS if "langchain" not in block]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("block", OF_SDKS, ids=range(len(OF_SDKS)))
async def test_a_block_of_python_prints_an_answer(
    shared: Service, block: str, capsys: pytest.CaptureFixture[str]
) -> None:
    closing = "\nclient.close()\n"
    script = compile(block.replace("http://127.0.0.1:8000", shared.url) + closing, "docs/clients.md", "exec")

    await asyncio.to_thread(exec, script, {})

    assert len(capsys.readouterr().out) > 100


def test_every_other_block_of_python_is_python() -> None:
    for block in BLOCKS:
        compile(block, "docs/clients.md", "exec")


def test_the_clients_in_javascript_are_those_that_are_tried() -> None:
    locked = (Path(__file__).parents[1] / "node" / "package.json").read_text()

    for name, version in re.findall(r'"(openai|@anthropic-ai/sdk|ai)": "(\d+\.\d+)', locked):
        assert f"{name} {version}" in PAGE
