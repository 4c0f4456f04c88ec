"""Places: fair between owners, more or fewer of them, and what those who wait are told."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from service.engine.admission import Slots
from service.errors import ServiceError
from tests.waiting import eventually, loop_turns, patience


def ignore(_: int) -> None:
    """Nobody minds."""


class Crowd:
    """Some that wait for a place, each held until it is let go."""

    def __init__(self, places: Slots) -> None:
        self.places = places
        self.served: list[str] = []
        self.told: dict[str, list[int]] = defaultdict(list)
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def come(self, owner: str, name: str) -> None:
        """Let one more come, and wait until it has a place or waits."""
        self.tasks[name] = asyncio.create_task(self.hold(owner, name))
        await loop_turns(2)

    async def hold(self, owner: str, name: str) -> None:
        async with self.places.place(owner, self.told[name].append):
            self.served.append(name)
            await self._done[name].wait()

    async def end_of(self, name: str) -> ServiceError:
        """Wait until it is refused, and say how."""
        with pytest.raises(ServiceError) as refused:
            async with patience():
                await self.tasks[name]
        return refused.value

    async def leave(self, name: str) -> None:
        """Give its place back."""
        self._done[name].set()
        await self.tasks[name]
        await loop_turns(5)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@asynccontextmanager
async def crowd(size: int, queue: int = 1000, timeout_s: float = 5.0) -> AsyncIterator[Crowd]:
    people = Crowd(Slots(size, queue, timeout_s))
    try:
        yield people
    finally:
        await people.close()


async def test_two_owners_take_turns_however_many_one_of_them_has_waiting() -> None:
    async with crowd(1) as people:
        for number in range(4):
            await people.come("many", f"many {number}")
        await people.come("few", "few 0")
        await people.come("few", "few 1")
        for name in ("many 0", "many 1", "few 0", "many 2", "few 1"):
            await people.leave(name)

        assert people.served == ["many 0", "many 1", "few 0", "many 2", "few 1", "many 3"]


async def test_more_places_let_those_in_who_wait() -> None:
    async with crowd(1) as people:
        for name in "abcd":
            await people.come("owner", name)
        people.places.resize(3)
        await loop_turns(5)

        assert people.served == ["a", "b", "c"]
        assert (people.places.taken, people.places.queued) == (3, 1)


async def test_fewer_places_take_none_away_but_let_nobody_in_before_enough_are_given_back() -> None:
    async with crowd(2) as people:
        for name in "abc":
            await people.come("owner", name)
        people.places.resize(1)
        await people.leave("a")
        assert people.served == ["a", "b"]

        await people.leave("b")
        assert people.served == ["a", "b", "c"]


async def test_no_places_at_all_let_nobody_in_until_there_are_some() -> None:
    async with crowd(0) as people:
        await people.come("owner", "a")
        assert people.served == []

        people.places.resize(1)
        await loop_turns(5)
        assert people.served == ["a"]


async def test_who_waits_is_told_the_place_as_it_moves() -> None:
    async with crowd(1) as people:
        for name in "abcd":
            await people.come("owner", name)
        assert [people.told[name] for name in "abcd"] == [[], [1], [2], [3]]
        await people.leave("a")

        await eventually(lambda: people.told["d"] == [3, 2])  # positions are sent once a second
        assert people.told["c"] == [2, 1]


async def test_a_long_line_costs_each_some_fifty_words_and_no_more() -> None:
    """Each step of a line of a thousand would be half a million words."""
    async with crowd(1) as people:
        places = people.places
        told: list[int] = []
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(places.place("first", ignore))
            waiting = [asyncio.create_task(stack.enter_async_context(places.place("o", ignore))) for _ in range(999)]
            await loop_turns(5)
            last = asyncio.create_task(stack.enter_async_context(places.place("o", told.append)))
            await loop_turns(5)
            for task in waiting:
                task.cancel()
                await loop_turns(2)
                places._report(None, 0)  # noqa: SLF001 - as if a second had gone by
            last.cancel()
            await asyncio.gather(*waiting, last, return_exceptions=True)

    assert told[0] == 1000
    assert told == sorted(told, reverse=True)
    assert len(told) < 60


async def test_a_full_line_says_when_it_is_worth_coming_back() -> None:
    async with crowd(1, queue=1) as people:
        await people.come("owner", "a")
        await people.come("owner", "b")
        refusal = people.places.refusal("owner")

    assert refusal is not None
    assert refusal.retry_after is not None
    assert 1 <= refusal.retry_after <= 30


async def test_who_is_refused_leaves_nothing_behind() -> None:
    async with crowd(1, queue=0) as people:
        await people.come("owner", "a")
        with pytest.raises(ServiceError):
            async with people.places.place("owner", ignore):
                pass
        assert (people.places.taken, people.places.queued) == (1, 0)


async def test_one_that_leaves_as_its_turn_comes_loses_nobody_a_place() -> None:
    """Its future is cancelled at once, and it notices only in the next turn of the loop."""
    async with crowd(1) as people:
        for name in "abc":
            await people.come("owner", name)
        people.tasks["b"].cancel()
        await people.leave("a")

        assert people.served == ["a", "c"]
        assert (people.places.taken, people.places.queued) == (1, 0)


async def test_a_full_line_lets_one_of_its_longest_go_for_whoever_has_fewer_in_it() -> None:
    async with crowd(1, queue=3) as people:
        for number in range(4):
            await people.come("many", f"many {number}")
        assert people.places.refusal("many") is not None
        assert people.places.refusal("few") is None
        await people.come("few", "few 0")

        assert (await people.end_of("many 3")).code.name == "overloaded"
        assert (people.places.taken, people.places.queued) == (1, 3)
        for name in ("many 0", "many 1", "few 0"):
            await people.leave(name)
        assert people.served == ["many 0", "many 1", "few 0", "many 2"]


async def test_nobody_is_let_go_where_that_would_only_turn_the_tables() -> None:
    """Else two that keep coming would drive each other out for as long as they come."""
    async with crowd(1, queue=3) as people:
        for number in range(4):
            await people.come("many", f"many {number}")
        await people.come("few", "few 0")

        assert people.places.refusal("few") is not None
        assert people.places.refusal("many") is not None
        assert people.places.refusal("third") is None
        await people.come("third", "third 0")
        await people.end_of("many 2")
        assert [people.places.refusal(owner) is None for owner in ("many", "few", "third", "fourth")] == [False] * 4


async def test_a_line_of_one_owner_is_first_come_first_served_and_then_full() -> None:
    async with crowd(1, queue=2) as people:
        for name in "abcd":
            await people.come("owner", name)
        assert (await people.end_of("d")).code.name == "overloaded"
        for name in "ab":
            await people.leave(name)

        assert people.served == ["a", "b", "c"]


async def test_who_was_let_go_for_another_is_told_when_it_is_worth_coming_back() -> None:
    async with crowd(1, queue=2) as people:
        for name in "abc":
            await people.come("many", name)
        await people.come("few", "d")
        refusal = await people.end_of("c")

    assert refusal.retry_after is not None
    assert 1 <= refusal.retry_after <= 30


async def test_one_that_leaves_as_it_is_let_go_leaves_the_line_as_it_is() -> None:
    async with crowd(1, queue=2) as people:
        for name in "abc":
            await people.come("many", name)
        people.tasks["c"].cancel()  # it notices only in the next turn of the loop
        await people.come("few", "d")
        await loop_turns(5)
        assert (people.places.taken, people.places.queued) == (1, 2)

        people.tasks["b"].cancel()
        await loop_turns(5)
        await people.leave("a")
        assert people.served == ["a", "d"]


async def test_one_that_is_cancelled_once_it_was_let_go_gives_no_place_back() -> None:
    async with crowd(1, queue=2) as people:
        for name in "abc":
            await people.come("many", name)
        people.tasks["d"] = asyncio.create_task(people.hold("few", "d"))
        await loop_turns(1)  # "c" is let go, and has not noticed
        people.tasks["c"].cancel()
        await loop_turns(5)

        assert (people.places.taken, people.places.queued) == (1, 2)


async def test_room_is_kept_for_those_that_are_being_begun() -> None:
    async with crowd(1, queue=1) as people:
        with people.places.expected:
            assert people.places.refusal("owner") is None
            with people.places.expected:
                assert people.places.refusal("owner") is not None
            await people.come("owner", "a")
        await loop_turns(5)
        assert people.places.refusal("owner") is None
        await people.come("owner", "b")
        assert people.places.refusal("owner") is not None

        await people.leave("a")
        assert people.served == ["a", "b"]
