"""Retries before the first text: unseen but for their number, bounded, and only where they help."""

import asyncio

import pytest

from tests.clock import Clock
from tests.harness import Service, running, text_of


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("api", ["converse", "invoke"])
@pytest.mark.parametrize(
    "fault",
    [
        "throttle",
        "http=ModelNotReadyException",
        "timeout",
        "http=ModelErrorException",
        "http=500",
        "drop@headers",
        "reset@headers",
        "html",
        "empty",
        "exception=throttlingException",
        "exception=modelStreamErrorException",
        "cut",
        "cut@open",
        "drop@open",
        "cut-frame",
        "crc",
        "garbage-json",
    ],
)
async def test_a_failure_that_may_pass_is_tried_again_unseen(shared: Service, fault: str, api: str) -> None:
    before = len(await shared.calls())
    events, answer = await asyncio.gather(shared.stream(fault=fault, api=api), shared.ask(fault=fault, api=api))

    assert [event.data.get("state") for event in events if event.name == "status"] == ["retrying"]
    assert text_of(events) == answer["text"] != ""
    assert events[-1].data["metrics"]["attempts"] == answer["metrics"]["attempts"] == 2
    assert len(await shared.calls()) == before + 4


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "fault",
    [
        "http=ValidationException",
        "http=AccessDeniedException",
        "http=ResourceNotFoundException",
        "http=ServiceQuotaExceededException",
        "throttle+message=Too%20many%20tokens%20per%20day",
        "http=ModelErrorException+status=400",
        "exception=modelStreamErrorException+status=422",
        "exception=validationException",
        "eol",
    ],
)
async def test_what_will_not_pass_is_not_tried_again_and_the_caller_is_told_so(shared: Service, fault: str) -> None:
    before = len(await shared.calls())
    headers = {"X-Artesian-Fault": f"{fault}*"}
    response = await shared.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

    assert response.status_code >= 400
    assert response.json()["retryable"] is False
    assert len(await shared.calls()) == before + 1


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_there_are_so_many_retries_and_no_more_and_the_sdk_makes_none_of_its_own(retries: int) -> None:
    async with running(max_retries=retries) as service:
        headers = {"X-Artesian-Fault": "throttle*"}
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

        assert response.status_code == 429
        assert [call["status"] for call in await service.calls()] == [429] * (retries + 1)


async def test_each_retry_is_announced_with_its_number_and_its_wait() -> None:
    async with running() as service:
        events = await service.stream(fault="throttle,http=503,cut@open")

    told = [event.data for event in events if event.name == "status"]
    assert [status["attempt"] for status in told] == [2, 3, 4]
    for status, ceiling in zip(told, [0.5, 1, 2], strict=True):
        assert 0 <= status["delay"] <= ceiling
        assert status["message"].endswith(".")
    assert events[-1].data["metrics"]["attempts"] == 4


async def test_bedrocks_wish_to_wait_is_honoured() -> None:
    async with running() as service:
        events = await service.stream(fault="throttle+retry-after=1")

    assert events[1].data["delay"] >= 1
    assert events[-1].data["metrics"]["latency"] >= 1  # the service's own figure contains the wait


@pytest.mark.parametrize(("wish", "settings"), [("61", {}), ("3", {"request_timeout": 2})])
async def test_a_wish_beyond_a_minute_or_the_deadline_is_passed_on_at_once(
    wish: str, settings: dict[str, float]
) -> None:
    async with running(**settings) as service:
        response = await service.http.post(
            "/api/generate/stream",
            json={"prompt": "Hi"},
            headers={"X-Artesian-Fault": f"throttle+retry-after={wish}"},
        )

        assert response.status_code == 429
        assert response.headers["retry-after"] == wish
        assert len(await service.calls()) == 1


async def test_silence_is_told_as_retryable_but_not_repeated_since_each_try_is_billed() -> None:
    async with running(first_event_timeout=0.2) as service:
        headers = {"X-Artesian-Fault": "stall*"}
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

        assert response.json()["code"] == "upstream_stalled"
        assert response.json()["retryable"] is True
        assert len(await service.calls()) == 1


@pytest.mark.parametrize(("share", "most"), [(0.1, 36), (0, 30)])
async def test_when_everything_fails_the_retries_do_not_multiply_the_load(share: float, most: int) -> None:
    """60 requests that may each be tried four times: a tenth of the traffic and three a second are left of it."""
    async with running(Clock(), retry_budget=share) as service:
        headers = {"X-Artesian-Fault": "throttle*"}
        posts = [service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers) for _ in range(60)]
        responses = await asyncio.gather(*posts)

        assert {response.status_code for response in responses} == {429}
        assert 60 < len(await service.calls()) <= 60 + most


async def test_a_retried_answer_is_billed_by_what_was_reported() -> None:
    async with running() as service:
        plain = await service.ask()
        retried = await service.ask(fault="cut@open")

    assert retried["text"] == plain["text"]
    assert retried["usage"] == plain["usage"]
