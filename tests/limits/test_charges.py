"""What reaches Bedrock is charged to its key: prompts of calls that fail or are left, further calls, counted tokens."""

import asyncio
from pathlib import Path

import pytest

from tests.harness import Json, Service, fault_header
from tests.limits.keyed import bearer, limited
from tests.limits.test_limits import TOKENS, idle, left
from tests.limits.test_queue import SURFACES
from tests.waiting import eventually

LIMIT = 4000
PROMPT = "word " * 2400
PROMPT_TOKENS = 3000  # by the estimate
SLACK = 100
COUNTING = "/v1/messages/count_tokens"
OPEN: Json = {"prompt": PROMPT, "max_tokens": 100}
LEAVES = {"X-On-Disconnect": "cancel"}


async def charged(service: Service, least: int, most: int, limit: int = LIMIT) -> None:
    """Wait until what is charged is within two bounds; a refusal says it, and costs nothing."""
    await eventually(lambda: idle(service))

    async def within() -> bool:
        told = await service.http.post("/api/generate", json={"prompt": ""}, headers=bearer("k"))
        return least <= limit - left(told, TOKENS) <= most

    await eventually(within)


@pytest.mark.parametrize("fault", ["gate", "gate@open"])
async def test_a_prompt_whose_client_leaves_before_the_first_word_is_charged(fault: str, tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": LIMIT}}, commit_after=0.01) as service:
        async with service.open(fault=fault, headers=bearer("k", **LEAVES), **OPEN) as events:
            await anext(events)
            await eventually(service.calls)
        await charged(service, PROMPT_TOKENS, PROMPT_TOKENS + SLACK)
        again = await service.http.post("/api/generate", json=OPEN, headers=bearer("k"))
        calls = await service.calls()

    assert (again.status_code, again.json()["violated-policies"]) == (429, ["tokens"])
    assert len(calls) == 1


async def test_a_prompt_whose_call_fails_is_charged_once(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": LIMIT}}, max_retries=1) as service:
        failed = await service.http.post("/api/generate", json=OPEN, headers=bearer("k") | fault_header("throttle*"))
        await charged(service, PROMPT_TOKENS, PROMPT_TOKENS + SLACK)
        calls = await service.calls()

    assert failed.status_code == 429
    assert len(calls) == 2


async def test_a_retry_of_a_refused_call_is_not_charged_again(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": LIMIT}}) as service:
        sent = bearer("k") | fault_header("throttle,ok")
        usage = (await service.http.post("/api/generate", json=OPEN, headers=sent)).json()["usage"]
        total = usage["input_tokens"] + usage["output_tokens"]
        await charged(service, total, total)


async def test_a_continuation_is_charged_its_prompt(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 20_000}}) as service:
        body = OPEN | {"prompt": f"{PROMPT} Write 50 words.", "on_interruption": "continue"}
        sent = bearer("k") | fault_header("cut@5")
        answer = (await service.http.post("/api/generate", json=body, headers=sent)).json()
        assert answer["metrics"]["attempts"] == 2, answer
        await charged(service, PROMPT_TOKENS + answer["usage"]["input_tokens"], 8000, 20_000)


@pytest.mark.parametrize("leaves", [True, False], ids=["the client leaves", "the second call answers"])
async def test_a_hedge_is_charged_the_prompts_of_both_calls(tmp_path: Path, *, leaves: bool) -> None:
    values: Json = {"hedge_after": 0.05, "commit_after": 0.01}
    async with limited(tmp_path, {"k": {"tokens_per_minute": 20_000}}, **values) as service:
        fault = "gate@open*" if leaves else "gate@open,ok"
        async with service.open(fault=fault, headers=bearer("k", **LEAVES), **OPEN) as events:
            if leaves:
                await anext(events)
                await eventually(lambda: _accepted(service, 2))
            else:
                assert [event async for event in events][-1].data["done"]
        await charged(service, 4000, 8000, 20_000)


async def _accepted(service: Service, number: int) -> bool:
    calls = await service.calls()
    return len(calls) == number and all(call["status"] == 200 for call in calls)


async def test_a_call_that_reaches_nothing_is_charged_no_tokens(tmp_path: Path) -> None:
    """Nothing listens at the address."""
    async with limited(
        tmp_path,
        {"k": {"tokens_per_minute": LIMIT}},
        backend="aws",
        region="us-east-1",
        bedrock_endpoint_url="http://127.0.0.1:9",
        control_endpoint_url="http://127.0.0.1:9",
        max_retries=0,
    ) as service:
        failed = await service.http.post("/api/generate", json=OPEN, headers=bearer("k"))
        await charged(service, 0, 0)

    assert failed.status_code in {403, 503}


async def test_counting_tokens_is_a_request_of_the_key(tmp_path: Path) -> None:
    body = SURFACES["/v1/messages"]
    async with limited(tmp_path, {"k": {"requests_per_minute": 2}}) as service:
        sent = (service.http.post(COUNTING, json=body, headers=bearer("k")) for _ in range(20))
        answers = await asyncio.gather(*sent)
        generation = await service.http.post("/v1/messages", json=body, headers=bearer("k"))
        calls = await service.calls()

    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(429)) == (2, 18)
    assert generation.status_code == 429
    assert len(calls) == 2
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert left(refused) == 0


async def test_counting_tokens_ends_with_its_client_and_takes_no_generations_connection(tmp_path: Path) -> None:
    body = SURFACES["/v1/messages"]
    async with limited(tmp_path, {"k": {}, "other": {}}, max_streams=1) as service:
        headers = bearer("k") | fault_header("gate")
        waiting = [asyncio.ensure_future(service.http.post(COUNTING, json=body, headers=headers)) for _ in range(20)]
        await eventually(lambda: _held(service, 8))
        generation = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=bearer("other"))
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await eventually(lambda: _held(service, 0))

    assert generation.status_code == 200


async def _held(service: Service, number: int) -> bool:
    return bool(sum(call["state"] != "closed" for call in await service.calls()) == number)
