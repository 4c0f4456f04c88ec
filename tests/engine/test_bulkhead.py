"""A model's bulkhead: what it lets through at once, who waits, and what it shows of itself."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from service.bedrock.catalog.resolution import Target, resolve
from service.engine.breaker import REST_S
from service.engine.bulkhead import Bulkhead, Bulkheads, Circuit, Unlimited
from service.errors import ServiceError, UpstreamError
from service.generation import Request
from tests.clock import Clock
from tests.harness import CLAUDE, settings
from tests.waiting import eventually, loop_turns, patience


def bulkheads(clock: Callable[[], float] = time.monotonic, **values: Any) -> Bulkheads:
    """Lanes under some settings."""
    return Bulkheads(settings(**values), clock)


def request(fault: str | None = None, model_id: str = CLAUDE) -> Request:
    """A request, which may order a fault."""
    return Request(model_id, (), fault=fault)


def target(model_id: str = CLAUDE) -> Target:
    """What is called for a model."""
    return resolve(request(model_id=model_id))


def bulkhead_of(these: Bulkheads, model_id: str = CLAUDE) -> Bulkhead:
    """A bulkhead that counts."""
    bulkhead = these.of(target(model_id), request())
    assert isinstance(bulkhead, Bulkhead)
    return bulkhead


async def throttled(bulkhead: Bulkhead, calls: int) -> None:
    """Let so many calls go at once, and be throttled together."""
    together = asyncio.Barrier(calls)

    async def one() -> None:
        async with bulkhead.enter("a", lambda _: None):
            await together.wait()
            raise UpstreamError("throttled")

    results = await asyncio.gather(*(one() for _ in range(calls)), return_exceptions=True)
    assert all(isinstance(result, UpstreamError) for result in results)


async def test_what_exceeds_the_learned_limit_waits_for_its_turn_and_is_told_its_place() -> None:
    these = bulkheads()
    bulkhead = bulkhead_of(these)
    await throttled(bulkhead, 4)
    told: list[int] = []
    inside: list[int] = []
    release = asyncio.Event()

    async def one(number: int) -> None:
        async with bulkhead.enter("a", told.append):
            inside.append(number)
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(one(number))
        await eventually(lambda: told[1:])
        assert inside == [0, 1]
        assert these.circuits("eu-west-1") == [
            Circuit("anthropic.claude-haiku-4-5-20251001-v1:0", "eu-west-1", "closed", 2, 2, 2)
        ]
        release.set()

    assert told == [1, 2]
    assert inside == [0, 1, 2, 3]


async def test_profiles_of_a_model_share_a_lane_and_models_do_not() -> None:
    these = bulkheads()

    assert bulkhead_of(these) is bulkhead_of(these, CLAUDE.removeprefix("global."))
    assert bulkhead_of(these) is not bulkhead_of(these, "amazon.nova-lite-v1:0")


@pytest.mark.parametrize(("values", "word"), [({"max_queue": 0}, "too many"), ({"queue_timeout": 0.01}, "too long")])
async def test_the_line_is_bounded_as_the_one_for_a_place_is(values: dict[str, Any], word: str) -> None:
    bulkhead = bulkhead_of(bulkheads(**values))
    await throttled(bulkhead, 2)
    async with bulkhead.enter("a", lambda _: None):
        with pytest.raises(ServiceError) as refused:
            async with bulkhead.enter("a", lambda _: None):
                pass

    assert refused.value.code.name == "overloaded"
    assert refused.value.retry_after
    assert word in refused.value.message


async def test_no_key_can_fill_a_models_line_against_others() -> None:
    bulkhead = bulkhead_of(bulkheads(max_queue=2))
    await throttled(bulkhead, 2)
    release = asyncio.Event()
    inside: list[str] = []

    async def one(owner: str, word: Callable[[int], None] = lambda _: None) -> None:
        async with bulkhead.enter(owner, word):
            inside.append(owner)
            await release.wait()

    many = [asyncio.create_task(one("many")) for _ in range(3)]
    in_line = asyncio.Event()
    few = asyncio.create_task(one("few", lambda _: in_line.set()))
    async with patience():
        await in_line.wait()
        with pytest.raises(ServiceError) as refused:
            await many[2]
        release.set()
        await asyncio.gather(*many[:2], few)

    assert refused.value.code.name == "overloaded"
    assert inside == ["many", "many", "few"]


async def test_who_has_another_model_to_go_to_does_not_wait() -> None:
    bulkhead = bulkhead_of(bulkheads())
    await throttled(bulkhead, 2)
    async with bulkhead.enter("a", lambda _: None):
        with pytest.raises(UpstreamError) as refused:
            async with bulkhead.enter("a", lambda _: None, wait=False):
                pass

    assert refused.value.code.name == "throttled"


async def test_a_rest_ends_when_the_breaker_opens_and_only_then() -> None:
    bulkhead = bulkhead_of(bulkheads())
    resting = asyncio.create_task(bulkhead.rest(30))
    await loop_turns(1)
    for _ in range(20):
        await failed(bulkhead)
    async with patience():
        await resting

    await bulkhead.rest(0.05)
    with pytest.raises(UpstreamError) as refused:
        bulkhead.check()
    assert refused.value.retry_after


async def test_a_probe_that_is_throttled_closes_the_breaker_and_holds_the_calls() -> None:
    clock = Clock()
    bulkhead = bulkhead_of(bulkheads(clock))
    for _ in range(20):
        await failed(bulkhead)
    assert bulkhead.refuses
    clock.now += REST_S
    assert not bulkhead.refuses

    await throttled(bulkhead, 1)

    assert bulkhead.circuit(None).state == "closed"
    assert bulkhead.circuit(None).limit == 1


async def test_with_the_breaker_off_nothing_is_refused() -> None:
    bulkhead = bulkhead_of(bulkheads(breaker=False))
    for _ in range(40):
        await failed(bulkhead)

    assert bulkhead.circuit(None).state == "closed"
    assert bulkhead.free


async def failed(bulkhead: Bulkhead) -> None:
    """Let a call fail."""
    with pytest.raises(UpstreamError):
        async with bulkhead.enter("a", lambda _: None):
            raise UpstreamError("upstream_unavailable")


async def test_a_fault_counts_for_nothing_unless_it_says_so() -> None:
    these = bulkheads()

    assert isinstance(these.of(target(), request("throttle*;key=5")), Unlimited)
    assert isinstance(these.of(target(), request("throttle*;counted;key=5")), Bulkhead)


async def test_any_number_of_models_that_nobody_has_heard_of_take_a_bounded_room() -> None:
    these = bulkheads()
    for number in range(2000):
        async with bulkhead_of(these, f"unknown.model-{number}").enter("a", lambda _: None):
            pass

    assert len(these.circuits(None)) <= 512
