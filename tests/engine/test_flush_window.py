"""The flush window: how long what Bedrock sends is left unread, by how busy the process is."""

import asyncio

import pytest

from service.engine.flush_window import FlushWindows
from tests.clock import Clock
from tests.waiting import patience

LONGEST_S = 0.02


def busy(pace: FlushWindows, clock: Clock, used: Clock, share: float, *, seconds: int = 3) -> None:
    """Let time pass in which the loop uses a share of its core."""
    for _ in range(seconds * 10):
        clock.now += 0.1
        used.now += 0.1 * share
        pace.window(clock.now)


@pytest.fixture
async def clocks() -> tuple[Clock, Clock]:
    return Clock(100.0), Clock(5.0)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.55])
async def test_nobody_waits_while_the_process_has_time_to_spare(clocks: tuple[Clock, Clock], share: float) -> None:
    clock, used = clocks
    pace = FlushWindows(LONGEST_S, now=clock.now, used=used)

    busy(pace, clock, used, share)

    assert pace.window(clock.now) is None


async def test_the_window_grows_with_the_load_up_to_its_longest(clocks: tuple[Clock, Clock]) -> None:
    clock, used = clocks
    pace = FlushWindows(LONGEST_S, now=clock.now, used=used)
    windows = []
    for share in (0.65, 0.75, 0.85, 1.0):
        busy(pace, clock, used, share)
        windows.append(pace.window_s)

    assert windows == sorted(windows)
    assert 0 < windows[0] < LONGEST_S / 2
    assert windows[-1] == LONGEST_S


async def test_a_short_burst_is_no_load(clocks: tuple[Clock, Clock]) -> None:
    clock, used = clocks
    pace = FlushWindows(LONGEST_S, now=clock.now, used=used)

    clock.now += 0.1
    used.now += 0.1

    assert pace.window(clock.now) is None


async def test_the_window_closes_when_the_load_is_over(clocks: tuple[Clock, Clock]) -> None:
    clock, used = clocks
    pace = FlushWindows(LONGEST_S, now=clock.now, used=used)
    busy(pace, clock, used, 1.0)

    busy(pace, clock, used, 0.1, seconds=1)

    assert pace.window(clock.now) is None


async def test_a_window_of_none_is_never_opened(clocks: tuple[Clock, Clock]) -> None:
    clock, used = clocks
    pace = FlushWindows(0, now=clock.now, used=used)

    busy(pace, clock, used, 1.0)

    assert pace.window(clock.now) is None


async def test_one_timer_ends_a_window_for_all_who_come_upon_it(clocks: tuple[Clock, Clock]) -> None:
    clock, used = clocks
    pace = FlushWindows(LONGEST_S, now=clock.now, used=used)
    busy(pace, clock, used, 1.0)
    window = pace.window(clock.now)
    assert window
    assert pace.window(clock.now) is window
    over = [asyncio.Event() for _ in range(3)]
    for one in over:
        window.then(one.set)

    async with patience():
        await over[0].wait()

    assert over[1].is_set()
    assert over[2].is_set()
    assert pace.window(clock.now) is not window
