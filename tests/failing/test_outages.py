"""A model that keeps failing: how many calls it still gets, how soon clients get an error, how calls resume."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from service.engine.breaker import REST_S
from tests.clock import Clock
from tests.harness import CLAUDE, Service, fault_header, running
from tests.waiting import patience

NOVA = "amazon.nova-lite-v1:0"


async def outage(service: Service, fault: str) -> None:
    """Let every call fail that orders no fault itself."""
    (await service.bedrock.put("/_local/fault", content=fault)).raise_for_status()


async def recovery(service: Service) -> None:
    """Let all be well again."""
    (await service.bedrock.delete("/_local/fault")).raise_for_status()


async def ask(service: Service, fault: str | None = None, model_id: str = CLAUDE) -> httpx.Response:
    """Ask for an answer, whatever comes."""
    body = {"prompt": "Hi", "model_id": model_id}
    return await service.http.post("/api/generate", json=body, headers=fault_header(fault))


async def number_of_calls(service: Service) -> int:
    """How many calls the local Bedrock has had; its list is bounded, the numbers are not."""
    calls = await service.calls()
    return int(calls[-1]["number"]) if calls else 0


@pytest.mark.parametrize("requests", [200, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("fault", ["http=503*", "throttle*"])
async def test_retries_add_at_most_a_tenth_and_thirty_calls(fault: str, requests: int) -> None:
    """The clock stands still: all requests fall into one window of the retry budget."""
    async with running(Clock(), breaker=False) as service:
        await outage(service, fault)
        at_once = asyncio.Semaphore(100)

        async def one() -> int:
            async with at_once:
                return (await ask(service)).status_code

        statuses = await asyncio.gather(*(one() for _ in range(requests)))

        calls = await number_of_calls(service)
        assert set(statuses) <= {429, 502, 503}
        assert requests < calls <= requests * 1.1 + 30


async def test_other_requests_are_answered_before_a_retry_with_a_retry_after_is_made() -> None:
    given = {"max_retries": 1, "retry_budget": 1, "on_disconnect": "cancel", "commit_after": 0}
    async with running(**given) as service, AsyncExitStack() as stack:
        for _ in range(5):
            events = await stack.enter_async_context(service.open(fault="throttle+retry-after=60"))
            retrying = [await anext(events), await anext(events)][-1]
            assert retrying.data["delay"] >= 60
        assert (await ask(service, "ok")).status_code == 200

        assert len(await service.calls()) == 6


async def test_an_open_breaker_makes_no_calls_and_closes_after_its_rest() -> None:
    clock = Clock()
    async with running(clock, max_retries=0) as service:
        await outage(service, "http=503*")
        for _ in range(20):
            assert (await ask(service)).status_code == 503
        for _ in range(50):
            refused = await ask(service)

        assert refused.json()["code"] == "upstream_unavailable"
        assert refused.json()["retryable"] is True
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert await number_of_calls(service) == 20

        await recovery(service)
        assert (await ask(service)).status_code == 503
        clock.now += REST_S
        assert {(await ask(service)).status_code for _ in range(5)} == {200}


async def test_a_stream_is_refused_in_the_same_way() -> None:
    async with running(max_retries=0) as service:
        await outage(service, "drop@headers*")
        await asyncio.gather(*(ask(service) for _ in range(20)))
        headers = {"Accept": "text/event-stream"}
        streamed = await service.http.get("/api/generate", params={"prompt": "Hi"}, headers=headers)
        chat = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}]}
        chatted = await service.http.post("/v1/chat/completions", json=chat)

    assert '"status":503' in streamed.text
    assert chatted.status_code == 503
    assert "retry-after" in chatted.headers


async def test_a_refusal_leaves_the_idempotency_key_free() -> None:
    clock = Clock()
    async with running(clock, max_retries=0) as service:
        await asyncio.gather(*(ask(service, "http=503;counted") for _ in range(20)))
        headers = {"Idempotency-Key": "once"}
        refused = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)
        clock.now += REST_S
        again = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

    assert refused.status_code == 503
    assert again.status_code == 200


@pytest.mark.parametrize(
    "fault", ["http=500", "timeout", "http=ModelErrorException", "cut@open", "cut@3", "crc", "reset@headers"]
)
async def test_what_is_bedrocks_failure_opens_the_breaker(fault: str) -> None:
    async with running(max_retries=0, on_interruption="fail") as service:
        await asyncio.gather(*(ask(service, f"{fault};counted") for _ in range(20)))

        assert (await ask(service)).json()["code"] == "upstream_unavailable"


@pytest.mark.parametrize("fault", ["stall@0", "stall@3"], ids=["from the start", "in the middle"])
async def test_silence_opens_the_breaker_too(fault: str) -> None:
    limits = {"first_event_timeout": 0.3, "idle_timeout": 0.3}
    async with running(max_retries=0, on_interruption="fail", **limits) as service:
        await asyncio.gather(*(ask(service, f"{fault};counted") for _ in range(20)))

        assert (await ask(service)).json()["code"] == "upstream_unavailable"


@pytest.mark.parametrize(
    "fault",
    [
        "http=503",  # without a word of counting
        "http=ValidationException;counted",
        "http=AccessDeniedException;counted",
        "http=ModelErrorException+status=400;counted",
        "throttle;counted",
    ],
)
async def test_what_says_nothing_of_the_models_health_does_not(fault: str) -> None:
    async with running(max_retries=0) as service:
        await asyncio.gather(*(ask(service, fault) for _ in range(30)))

        assert (await ask(service)).status_code == 200


async def test_with_the_breaker_off_every_call_is_made() -> None:
    async with running(max_retries=0, breaker=False) as service:
        await outage(service, "http=503*")
        for _ in range(2):
            await asyncio.gather(*(ask(service) for _ in range(30)))

        assert await number_of_calls(service) == 60


async def test_another_model_is_asked_as_ever() -> None:
    async with running(max_retries=0) as service:
        await asyncio.gather(*(ask(service, "http=503;counted") for _ in range(20)))

        assert (await ask(service, model_id=NOVA)).status_code == 200
        assert (await ask(service, model_id=CLAUDE.replace("global.", "us."))).status_code == 503


async def test_with_a_fallback_an_open_breaker_costs_nothing_but_the_other_models_answer() -> None:
    async with running(max_retries=0, fallbacks={CLAUDE: [NOVA]}) as service:
        await asyncio.gather(*(ask(service, "http=503;counted") for _ in range(20)))
        before = await number_of_calls(service)
        answer = (await ask(service)).json()

        assert answer["model_id"] == NOVA
        assert answer["metrics"]["attempts"] == 1
        assert [call["model"] for call in (await service.calls())[before:]] == [NOVA]


async def test_who_waits_to_try_again_is_told_as_soon_as_the_breaker_opens() -> None:
    async with running(retry_budget=1) as service:
        waiting = asyncio.create_task(ask(service, "throttle+retry-after=60*;counted"))
        await service.bedrock.get("/_local/calls/1?state=closed")
        failing = [ask(service, "http=503*;counted") for _ in range(20)]
        async with patience():  # less than the Retry-After
            responses = await asyncio.gather(waiting, *failing)

        assert {response.status_code for response in responses} == {503}
