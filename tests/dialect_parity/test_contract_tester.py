"""A tester that knows nothing but the document tries every call of these surfaces."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.harness import running

SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize(
    ("phases", "examples"),
    [("fuzzing", "1"), pytest.param("coverage,fuzzing", "100", marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
async def test_no_request_makes_them_answer_in_a_way_that_their_document_does_not_know(
    tmp_path: Path, phases: str, examples: str
) -> None:
    async with running() as service:
        tester = await asyncio.create_subprocess_exec(
            *(SCHEMATHESIS, "run", f"{service.url}/openapi.json", "--checks", CHECKS, "--max-examples", examples),
            *("--include-path-regex", "^/v1/", "--phases", phases, "--seed", "1", "--no-color"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await tester.communicate()

    assert tester.returncode == 0, said.decode()[-6000:]
