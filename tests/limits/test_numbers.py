"""Every number that a client can send is refused by name where it is out of bounds, and none is an outage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness import Json, Service
from tests.limits.keyed import bearer, limited
from tests.limits.test_queue import SURFACES
from tests.streams.servers import Server

MEMBERS: dict[str, dict[str, Json]] = {
    "/api/generate": {"max_tokens": {}, "top_k": {}, "reasoning.budget_tokens": {}},
    "/v1/chat/completions": {"max_tokens": {}, "max_completion_tokens": {}, "top_k": {}, "n": {}},
    "/v1/responses": {"max_output_tokens": {}},
    "/v1/messages": {"max_tokens": {}, "top_k": {}, "thinking.budget_tokens": {"type": "enabled"}},
}
NUMBERS = [
    *("2147483648", "9223372036854775808", "1" + "0" * 40, "-1", "1e400", "1.5", "NaN", "Infinity"),
    *('"many"', "true"),
]
PLACES = [(path, member) for path, members in MEMBERS.items() for member in members]


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 1_000_000}}) as service:
        yield service


def body_with(path: str, member: str, number: str) -> str:
    """A body whose member is a number that Python's JSON would not write."""
    import json

    outer, _, inner = member.partition(".")
    value: Json | str = MEMBERS[path][member] | {inner: "HERE"} if inner else "HERE"
    body = SURFACES[path] | {"model" if path.startswith("/v1") else "model_id": "nobody.knows-this-v1:0", outer: value}
    return json.dumps(body).replace('"HERE"', number)


@pytest.mark.parametrize(("path", "member"), PLACES)
async def test_a_number_out_of_bounds_is_refused_by_name(service: Service, path: str, member: str) -> None:
    headers = bearer("k") | {"Content-Type": "application/json"}
    for number in NUMBERS:
        answer = await service.http.post(path, content=body_with(path, member, number), headers=headers)
        assert answer.status_code == 400 if path.startswith("/v1") else answer.status_code in {400, 422}, number
        unreadable = number in {"NaN", "Infinity", "1e400"}
        assert unreadable or member.rpartition(".")[2] in answer.text, (number, answer.text)

    assert await service.calls() == []


@pytest.mark.parametrize("number", ["2147483648", "-1", "1e400", "1.5", "NaN", "true"])
async def test_numbers_in_an_address_are_bounded_too(service: Service, number: str) -> None:
    asked = {
        "/api/generate": ("max_tokens", "top_k"),
        "/api/conversations": ("limit",),
        "/v1/models": ("limit",),
        "/v1/responses/resp_00000000000000000000000000000000": ("starting_after",),
    }
    for path, names in asked.items():
        for name in names:
            where = {"prompt": "Hi", name: number} if path == "/api/generate" else {"stream": "true", name: number}
            answer = await service.http.get(path, params=where, headers=bearer("k"))
            if (name, number) != ("starting_after", "-1"):
                assert answer.status_code in {400, 422}, (path, name, answer.text)
                assert name in answer.text


@pytest.mark.parametrize("path", ["/api/generate", "/v1/messages", "/v1/chat/completions"])
async def test_a_large_number_in_a_members_own_object_is_no_fault_of_ours(service: Service, path: str) -> None:
    """A journal's integers have 64 bits; a schema's have not."""
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**70}}}
    tool: Json = {"name": "t", "input_schema": schema}
    if path.endswith("completions"):
        tool = {"type": "function", "function": {"name": "t", "parameters": schema}}
    answer = await service.http.post(path, json=SURFACES[path] | {"tools": [tool]}, headers=bearer("k"))

    assert answer.status_code in {200, 400, 422}, answer.text


async def test_a_maximum_that_no_counter_holds_is_refused_and_the_limits_stay_shared(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 1000}}, journal_url=server.url) as service:
        body = {"prompt": "Hi", "model_id": "nobody.knows-this-v1:0", "max_tokens": 2**63}
        refused = await service.http.post("/api/generate", json=body, headers=bearer("k"))
        await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=bearer("k"))

    assert refused.status_code == 422
    assert "max_tokens" in refused.text
    assert "in this process only" not in caplog.text
