"""Who begins when many come at once: a few in each turn of the loop, in order."""

import asyncio

from service.http.admission_rate import AT_ONCE, AdmissionRate
from tests.waiting import loop_turns

CAME = 3 * AT_ONCE


async def arrive(entrance: AdmissionRate, number: int, begun: list[int]) -> None:
    await entrance.turn()
    begun.append(number)


async def test_a_few_begin_in_each_turn_of_the_loop_in_the_order_they_came() -> None:
    entrance, begun = AdmissionRate(), list[int]()
    all_begun = asyncio.gather(*(arrive(entrance, number, begun) for number in range(CAME)))
    in_each_turn = []
    while len(begun) < CAME:
        before = len(begun)
        await loop_turns(1)
        in_each_turn.append(len(begun) - before)
    await all_begun

    assert begun == list(range(CAME))
    assert max(in_each_turn) <= AT_ONCE


async def test_nobody_waits_who_comes_alone() -> None:
    entrance, begun = AdmissionRate(), list[int]()
    for number in range(CAME):
        turn = arrive(entrance, number, begun)
        try:
            turn.send(None)
        except StopIteration:
            await loop_turns(1)
            continue
        raise AssertionError("it waited")

    assert begun == list(range(CAME))


async def test_who_leaves_while_it_waits_takes_no_turn() -> None:
    entrance, begun = AdmissionRate(), list[int]()
    came = [asyncio.ensure_future(arrive(entrance, number, begun)) for number in range(2 * AT_ONCE + 1)]
    await loop_turns(1)
    for one in came[AT_ONCE : 2 * AT_ONCE]:
        one.cancel()
    await asyncio.wait(came)

    assert begun == [*range(AT_ONCE), 2 * AT_ONCE]
