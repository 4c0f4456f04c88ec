"""A key's limits as its callers see them: refusals, headers, and what is charged."""

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from openai import RateLimitError as OpenAIRateLimit

from tests.harness import CLAUDE, Json, Service, fault_header
from tests.limits.keyed import bearer, limited
from tests.limits.test_queue import CHAT, GATE, SURFACES, places
from tests.native.gates import release
from tests.streams.servers import Server
from tests.waiting import eventually, patience

REQUESTS = re.compile(r'"requests";r=(\d+);t=(\d+)')
TOKENS = re.compile(r'"tokens";r=(\d+);t=(\d+)')


async def ask(service: Service, key: str, path: str = "/api/generate", **body: object) -> httpx.Response:
    return await service.http.post(path, json=SURFACES[path] | body, headers=bearer(key))


async def idle(service: Service) -> bool:
    ready: Json = (await service.http.get("/readyz", headers=bearer("k"))).json()
    return bool(ready["streams"] == 0)


def left(response: httpx.Response, pattern: re.Pattern[str] = REQUESTS) -> int:
    found = pattern.search(response.headers["ratelimit"])
    assert found
    assert 1 <= int(found[2]) <= 60
    return int(found[1])


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_every_surface_that_generates_says_how_the_key_stands(path: str, tmp_path: Path, *, stream: bool) -> None:
    bounds = {"requests_per_minute": 2, "tokens_per_minute": 100_000, "streams": 3}
    async with limited(tmp_path, {"k": bounds}) as service:
        answers = [await ask(service, "k", path, stream=stream) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [left(answer) for answer in answers] == [1, 0, 0]
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == (
            '"requests";q=2;w=60, "tokens";q=100000;w=60, "streams";q=3;qu="concurrent-requests"'
        )
        assert '"streams";r=' in answer.headers["ratelimit"]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60


async def test_a_refusal_names_the_limit_in_each_surfaces_own_words(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 1}}) as service:
        await ask(service, "k")
        told = {path: (await ask(service, "k", path)).json() for path in SURFACES}
        source = await service.http.get("/api/generate?prompt=Hi", headers=bearer("k", Accept="text/event-stream"))

    for path in ("/api/generate", "/api/generate/stream"):
        assert (told[path]["code"], told[path]["status"], told[path]["retryable"]) == ("rate_limited", 429, True)
        assert "1 request per minute" in told[path]["error"]
        assert told[path]["violated-policies"] == ["requests"]
    for path in ("/v1/chat/completions", "/v1/responses"):
        assert (told[path]["error"]["code"], told[path]["error"]["type"]) == ("rate_limited", "rate_limit_error")
    assert told["/v1/messages"]["error"]["type"] == "rate_limit_error"
    assert source.status_code == 200
    assert '"code":"rate_limited"' in source.text
    assert left(source) == 0


async def test_tools_around_the_sdks_find_the_headers_they_watch(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 5, "tokens_per_minute": 9000}}) as service:
        chat = (await ask(service, "k", "/v1/chat/completions")).headers
        message = (await ask(service, "k", "/v1/messages")).headers

    assert (chat["x-ratelimit-limit-requests"], chat["x-ratelimit-remaining-requests"]) == ("5", "4")
    assert chat["x-ratelimit-limit-tokens"] == "9000"
    assert re.fullmatch(r"\d+s", chat["x-ratelimit-reset-requests"])
    assert (message["anthropic-ratelimit-requests-limit"], message["anthropic-ratelimit-requests-remaining"]) == (
        "5",
        "3",
    )
    reset = datetime.fromisoformat(message["anthropic-ratelimit-tokens-reset"])
    assert 0 <= (reset - datetime.now(UTC)).total_seconds() <= 60
    assert not any(name.startswith("x-ratelimit") for name in message)


async def test_the_sdks_know_the_refusal_and_that_it_may_be_tried_again(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 1}}) as service:
        openai = AsyncOpenAI(base_url=f"{service.url}/v1", api_key="k", max_retries=0)
        anthropic = AsyncAnthropic(base_url=service.url, api_key="k", max_retries=0)
        async with openai, anthropic:
            await openai.chat.completions.create(**CHAT)
            with pytest.raises(OpenAIRateLimit) as refused:
                await openai.chat.completions.create(**CHAT)

    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert refused.value.code == "rate_limited"


async def test_a_key_without_limits_gets_no_such_headers(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {}}) as service:
        answer = await ask(service, "k")

    assert not any("ratelimit" in name for name in answer.headers)


async def test_only_a_new_generation_is_charged(tmp_path: Path) -> None:
    """Who attaches by a key, comes back, reads, or is refused for a mistake pays nothing."""
    once = bearer("k", **{"Idempotency-Key": "once"})
    async with limited(tmp_path, {"k": {"requests_per_minute": 2}}) as service:
        first = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=once)
        stream_id = first.headers["x-stream-id"]
        for _ in range(3):
            same = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=once)
            assert same.json()["stream_id"] == stream_id
        assert (await service.http.get(f"/api/streams/{stream_id}", headers=bearer("k"))).status_code == 200
        back = bearer("k", **{"Last-Event-ID": f"{stream_id}-1"})
        assert (await service.http.post("/api/generate/stream", headers=back, json={})).status_code == 200
        wrong = await ask(service, "k", prompt="")
        assert wrong.status_code == 422
        second = await ask(service, "k")
        third = await ask(service, "k")

    assert (left(first), left(wrong), left(second)) == (1, 1, 0)
    assert (second.status_code, third.status_code) == (200, 429)


async def test_a_refusal_leaves_its_idempotency_key_free(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"streams": 1}}, commit_after=0.05) as service:
        keyed = bearer("k", **{"Idempotency-Key": "mine"})
        async with service.open(fault=GATE, headers=bearer("k")) as events:
            await anext(events)
            refused = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=keyed)
            await release(service)
        await eventually(lambda: idle(service))
        other_body = await service.http.post("/api/generate", json={"prompt": "Ho"}, headers=keyed)

    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["streams"])
    assert other_body.status_code == 200


async def test_tokens_are_charged_as_they_were_used(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 10_000}}) as service:
        first = await ask(service, "k", max_tokens=5000)
        used = first.json()["usage"]
        second = await ask(service, "k", max_tokens=100)

    assert left(first, TOKENS) >= 4000
    total = used["input_tokens"] + used["output_tokens"]
    assert abs(left(second, TOKENS) - (10_000 - total - 100)) < 200


async def test_the_next_generation_waits_once_the_tokens_are_used(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 20}}) as service:
        first = await ask(service, "k", prompt="Write 100 words.")
        second = await ask(service, "k")

    assert (first.status_code, second.status_code) == (200, 429)
    assert second.json()["violated-policies"] == ["tokens"]
    assert left(second, TOKENS) == 0


async def test_a_request_longer_than_a_minutes_tokens_is_not_worth_repeating(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"tokens_per_minute": 100}}) as service:
        native = await ask(service, "k", prompt="word " * 1000)
        chat = await ask(service, "k", "/v1/chat/completions", messages=[{"role": "user", "content": "word " * 1000}])

    assert native.status_code == 429
    assert native.json()["retryable"] is False
    assert "retry-after" not in native.headers
    assert chat.headers["x-should-retry"] == "false"


async def test_a_generation_that_failed_upstream_costs_a_request_and_no_tokens(tmp_path: Path) -> None:
    bounds = {"requests_per_minute": 5, "tokens_per_minute": 1000}
    async with limited(tmp_path, {"k": bounds}, max_retries=0) as service:
        sent = bearer("k") | fault_header("http=503")
        failed = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=sent)
        after = await ask(service, "k", max_tokens=100)

    assert failed.status_code == 503
    assert left(after) == 3
    assert left(after, TOKENS) > 800


async def test_one_key_over_its_streams_does_not_hold_up_another(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"streams": 1}, "other": {"streams": 1}}) as service, AsyncExitStack() as stack:
        events = await stack.enter_async_context(service.open(fault=GATE, headers=bearer("k")))
        await anext(events)
        over = await ask(service, "k")
        other = await ask(service, "other")

    assert (over.status_code, over.json()["violated-policies"], over.headers["retry-after"]) == (429, ["streams"], "1")
    assert over.headers["ratelimit"] == '"streams";r=0'
    assert other.status_code == 200


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_whoever_has_an_answer_may_ask_the_next_thing_at_once(tmp_path: Path, *, stream: bool) -> None:
    async with limited(tmp_path, {"k": {"streams": 1}}) as service:
        answers = [await ask(service, "k", stream=stream) for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}


async def test_a_key_with_fifty_waiting_does_not_delay_anothers_first(tmp_path: Path) -> None:
    async with (
        limited(tmp_path, {"many": {}, "one": {}}, max_streams=1, commit_after=0.01) as service,
        AsyncExitStack() as stack,
    ):
        for _ in range(50):
            many = await stack.enter_async_context(service.open(fault=GATE, headers=bearer("many")))
        told = [await anext(many), await anext(many)]
        events = await stack.enter_async_context(service.open(headers=bearer("one")))
        first = [await anext(events), await anext(events)]
        await release(service, 1)
        await service.bedrock.get("/_local/calls/2", params={"state": "waiting"})
        await release(service, 2)
        async with patience():
            rest = [event async for event in events]

    assert places(told) == [49]
    assert places(first) == [2]
    assert rest[-1].data["done"]


async def test_two_services_with_one_valkey_count_together(server: Server, tmp_path: Path) -> None:
    bounds = {"requests_per_minute": 3, "tokens_per_minute": 100_000}
    (tmp_path / "two").mkdir()
    async with (
        limited(tmp_path, {"k": bounds}, journal_url=server.url) as one,
        limited(tmp_path / "two", {"k": bounds}, journal_url=server.url) as other,
    ):
        answers = [await ask(service, "k") for service in (one, other, one, other, one)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [left(answer) for answer in answers] == [2, 1, 0, 0, 0]


async def test_a_valkey_that_is_away_neither_stops_a_limited_key_nor_gives_it_a_fresh_minute(
    server: Server, tmp_path: Path
) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 3}}, journal_url=server.url) as service:
        await ask(service, "k")
        server.kill()
        answers = [await ask(service, "k") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_pages_of_listed_origins_can_read_the_headers(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 1}}, cors_origins="https://a.example") as service:
        await ask(service, "k")
        headers = bearer("k", Origin="https://a.example")
        refused = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

    assert refused.status_code == 429
    exposed = {name.strip().lower() for name in refused.headers["access-control-expose-headers"].split(",")}
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= exposed


async def test_a_refused_send_in_a_conversation_keeps_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"requests_per_minute": 1}}) as service:
        await ask(service, "k")
        begun = await service.http.post("/api/conversations", json={}, headers=bearer("k"))
        path = f"/api/conversations/{begun.json()['id']}"
        refused = await service.http.post(f"{path}/messages", json={"content": "Hi"}, headers=bearer("k"))
        kept: Json = (await service.http.get(path, headers=bearer("k"))).json()

    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert left(refused) == 0
    assert kept["messages"] == []
    assert kept["model_id"] in {None, CLAUDE}
