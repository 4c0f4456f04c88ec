"""Places: how many generations run at once, and who waits."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.engine.admission import Slots
from service.errors import ServiceError
from tests.waiting import eventually, loop_turns


async def queued(places: Slots, number: int) -> None:
    """Let the loop turn until so many wait."""
    await eventually(lambda: places.queued >= number)


async def test_who_comes_when_all_places_are_taken_waits_in_turn() -> None:
    places = Slots(1, 10, 5.0)
    told: list[int] = []
    order: list[str] = []

    async def come(name: str) -> None:
        async with places.place("a", told.append):
            order.append(name)

    async with places.place("a", told.append):
        waiting = [asyncio.create_task(come(name)) for name in "abc"]
        await queued(places, 3)
        assert order == []
    await asyncio.gather(*waiting)

    assert told == [1, 2, 3]
    assert order == ["a", "b", "c"]


async def test_a_full_queue_refuses_at_once() -> None:
    places = Slots(1, 0, 5.0)
    async with places.place("a", lambda _: None):
        refusal = places.refusal("a")
    assert refusal is not None
    assert refusal.code.name == "overloaded"
    assert places.refusal("a") is None


async def test_a_wait_has_its_end() -> None:
    places = Slots(1, 1, 0.01)
    async with places.place("a", lambda _: None):
        with pytest.raises(ServiceError) as refusal:
            async with places.place("a", lambda _: None):
                pass
    assert refusal.value.code.name == "overloaded"
    assert places.queued == 0


async def test_who_leaves_the_queue_takes_no_place_along() -> None:
    places = Slots(1, 10, 5.0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(places.place("a", lambda _: None))
        waiting = asyncio.create_task(stack.enter_async_context(places.place("a", lambda _: None)))
        await queued(places, 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert places.queued == 0
    async with places.place("a", lambda _: None):
        pass


async def test_who_leaves_as_the_place_comes_hands_it_on() -> None:
    places = Slots(1, 10, 5.0)
    holding = asyncio.Event()

    async def hold() -> None:
        async with places.place("a", lambda _: None):
            await holding.wait()

    first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
    await queued(places, 1)
    first.cancel()  # gives its place to the second …
    await loop_turns(1)
    second.cancel()  # … which leaves before it has noticed
    await asyncio.wait([first, second])

    async with places.place("a", lambda _: None):
        assert places.queued == 0
