"""A tester that knows nothing but the document, where there are keys: none, a weak one, a spent one, a full service."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.access.holders import Holder, held
from tests.documents.interface import FILE
from tests.harness import Json

SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")
AS_WRITTEN = "status_code_conformance,content_type_conformance,response_schema_conformance"
CHECKS = f"not_a_server_error,{AS_WRITTEN}"
METHODS = ("get", "post", "put", "patch", "delete")
OPEN = {"/healthz", "/readyz"}  # a prober has no key
GENERATING = {
    "/api/generate", "/api/generate/stream", "/api/conversations/{conversation_id}/messages", "/v1/chat/completions",
    "/v1/responses", "/v1/messages", "/v1/messages/count_tokens",
}  # fmt: skip


async def tried(folder: Path, holder: Holder, *more: str, key: str | None = None, checks: str = CHECKS) -> str:
    """Let the tester loose on every operation; the value is what it has to say."""
    arguments = ["--checks", checks, "--phases", "fuzzing", "--seed", "1", "--no-color", *more]
    if key:
        arguments += ["--header", f"Authorization: Bearer {key}"]
    tester = await asyncio.create_subprocess_exec(
        *(SCHEMATHESIS, "run", str(FILE), "--url", holder.service.url, *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await tester.communicate()
    assert tester.returncode == 0, said.decode()[-6000:]
    return said.decode()


async def test_whoever_has_a_key_is_answered_as_the_document_says(tmp_path: Path) -> None:
    async with held(tmp_path, {"chief": {"scopes": ["admin"]}}) as (chief,):
        said = await tried(tmp_path, chief, "--max-examples", "1", key=chief.key)

    assert f"{len(operations())} selected" in said


@pytest.mark.parametrize("who", ["nobody", "a stranger", "a reader", "a spent key"])
async def test_whoever_may_not_is_refused_as_the_document_says(tmp_path: Path, who: str) -> None:
    powers: dict[str, Json] = {"reader": {"scopes": ["read"]}, "spent": {"scopes": ["admin"], "requests_per_minute": 1}}
    async with held(tmp_path, powers) as (reader, spent):
        key = {"nobody": None, "a stranger": "art_nothing", "a reader": reader.key, "a spent key": spent.key}[who]
        await spent.generate()
        await tried(tmp_path, reader, "--max-examples", "1", key=key)


async def test_a_full_service_refuses_as_the_document_says(tmp_path: Path) -> None:
    admin: Json = {"scopes": ["admin"]}
    async with AsyncExitStack() as stack:
        (chief,) = await stack.enter_async_context(held(tmp_path, {"chief": admin}, max_streams=1, max_queue=0))
        waits = {**chief.header, "X-Artesian-Fault": "gate@1"}
        asked = chief.service.http.stream("POST", "/api/generate/stream", json={"prompt": "Hi"}, headers=waits)
        await stack.enter_async_context(asked)
        full = await chief.generate()
        await tried(tmp_path, chief, "--max-examples", "1", key=chief.key, checks=AS_WRITTEN)

    assert (full.status_code, full.json()["code"]) == (503, "overloaded")


def operations() -> dict[tuple[str, str], Json]:
    """All that the document knows, by path and method."""
    return {
        (path, method): operation
        for path, methods in json.loads(FILE.read_text())["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_call_that_wants_a_key_says_so() -> None:
    told = operations()
    lacking = {
        place: sorted({"401", "403", "500"} - operation["responses"].keys())
        for place, operation in told.items()
        if place[0] not in OPEN and not {"401", "403", "500"} <= operation["responses"].keys()
    }

    assert lacking == {}
    assert Counter(place[0] in OPEN for place in told)[True] == len(OPEN)


def test_every_call_that_may_have_to_wait_says_so() -> None:
    told = operations()
    generating = {place: operation["responses"].keys() for place, operation in told.items() if place[0] in GENERATING}

    assert len(generating) == len(GENERATING) + 1  # one of them is there for GET too
    for place, statuses in generating.items():
        assert "429" in statuses, place
        assert "529" in statuses if place[0].startswith("/v1/messages") else "503" in statuses, place
    for place, operation in told.items():
        if place[0] not in OPEN and place[0].startswith("/api/streams"):
            assert "503" in operation["responses"], place
