"""A second call beside one that stays silent (`HEDGE_AFTER`): the first to speak is the answer, the other is closed."""

import asyncio
from typing import Any

import pytest

from tests.harness import Json, Service, fault_header, running, text_of
from tests.waiting import eventually

SOON_S = 0.15


def hedging(**values: Any) -> Any:
    """A service that makes a second call soon."""
    return running(**{"hedge_after": SOON_S, "max_retries": 0, "on_disconnect": "cancel"} | values)


async def closed(service: Service, number: int) -> Json:
    """A call of the local Bedrock, once it is over."""
    call: Json = (await service.bedrock.get(f"/_local/calls/{number}?state=closed")).json()
    return call


@pytest.mark.parametrize("api", ["converse", "invoke"])
async def test_a_second_call_answers_where_the_first_stays_silent(api: str) -> None:
    async with hedging() as service:
        plain = await service.ask(api=api)
        events = await service.stream(fault="stall@open,ok", api=api)
        first = await closed(service, 2)

    assert text_of(events) == plain["text"]
    assert first["client_left"]
    assert events[-1].data["metrics"]["attempts"] == 2
    assert events[-1].data["usage"]["estimated"]
    assert events[-1].data["usage"]["output_tokens"] == plain["usage"]["output_tokens"]


async def test_the_first_goes_on_where_it_speaks_first_and_the_second_is_closed() -> None:
    async with hedging() as service:
        plain = await service.ask()
        events = await service.stream(fault=f"slow-first={SOON_S * 3},stall")
        second = await closed(service, 3)

    assert text_of(events) == plain["text"]
    assert second["client_left"]
    assert events[-1].data["usage"]["estimated"]
    assert events[-1].data["metrics"]["time_to_first_token"] >= SOON_S * 2


async def test_a_model_that_speaks_in_time_is_called_once() -> None:
    async with hedging() as service:
        answer = await service.ask(fault="pause=0.4@1")
        calls = await service.calls()

    assert len(calls) == 1
    assert answer["usage"]["estimated"] is False


async def test_the_second_answers_where_the_first_fails_meanwhile() -> None:
    async with hedging() as service:
        events = await service.stream(fault=f"slow={SOON_S * 2}+http=500,slow-first={SOON_S * 3}")
        calls = await service.calls()

    assert text_of(events)
    assert len(calls) == 2
    assert events[-1].data["metrics"]["gateway_time"] < SOON_S


async def test_the_first_answers_where_the_second_fails() -> None:
    async with hedging() as service:
        answer = await service.ask(fault=f"slow-first={SOON_S * 3},throttle")

    assert answer["text"]
    assert answer["metrics"]["attempts"] == 2
    assert answer["usage"]["estimated"] is False


async def test_where_both_fail_the_generation_does() -> None:
    async with hedging(first_event_timeout=0.5) as service:
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header("stall*"))

    assert response.json()["code"] == "upstream_stalled"


@pytest.mark.parametrize(
    "fault",
    [f"slow-first={SOON_S * 3},stall", "stall,ok", f"slow={SOON_S * 2}+http=500,slow-first={SOON_S * 3}"],
    ids=["of the first", "of the second", "of the second alone"],
)
async def test_an_answer_without_a_word_is_an_answer(fault: str) -> None:
    async with hedging() as service:
        events = await service.stream(fault=fault, prompt='say "hello"', stop_sequences=["hello"])
        for number in (1, 2):
            await closed(service, number)

    assert text_of(events) == ""
    assert events[-1].data["stop_reason"] == "stop_sequence"


async def test_the_caller_is_told_how_the_last_of_two_failed() -> None:
    async with hedging() as service:
        fault = f"slow={SOON_S * 2}+http=500,slow={SOON_S * 3}+throttle"
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header(fault))

    assert response.json()["code"] == "throttled"


async def test_a_failure_after_the_first_words_is_the_winners_alone() -> None:
    async with hedging(on_interruption="fail") as service:
        events = await service.stream(fault="stall,cut@3")

    assert events[-1].data["code"] == "upstream_truncated"


@pytest.mark.parametrize("waits", [1, 2])
async def test_who_leaves_closes_every_call_within_a_quarter_of_a_second(waits: int) -> None:
    clock = asyncio.get_running_loop().time
    async with hedging(commit_after=0, hedge_after=SOON_S if waits == 2 else 5) as service:
        async with service.open(fault="stall*") as events:
            await anext(events)
            await service.bedrock.get(f"/_local/calls/{waits}?timeout=5")
            await eventually(lambda: _open(service, waits))
            left = clock()
        for number in range(1, waits + 1):
            assert (await closed(service, number))["client_left"]
        assert clock() - left < 0.25 + 0.1  # and the way there and back


async def _open(service: Service, number: int) -> bool:
    return len(await service.calls()) == number


async def test_second_calls_take_of_the_budget_of_retries() -> None:
    async with hedging(retry_budget=0, first_event_timeout=0.5) as service:
        posts = [
            service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header("stall*")) for _ in range(40)
        ]
        await asyncio.gather(*posts)

        assert len(await service.calls()) == 40 + 30
