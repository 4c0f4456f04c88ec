"""What is learned from throttles: how many calls go at once."""

from hypothesis import given
from hypothesis import strategies as st

from service.engine.adaptive_limit import QUIET_S, AdaptiveLimit
from tests.clock import Clock


def test_nothing_is_held_back_before_the_first_throttle() -> None:
    allowance = AdaptiveLimit(Clock())
    allowance.passed(1000)

    assert allowance.limit is None


@given(calls=st.integers(2, 1000))
def test_any_number_of_calls_that_are_throttled_together_halve_it_once(calls: int) -> None:
    clock = Clock()
    allowance = AdaptiveLimit(clock)
    clock.now = 1.0

    for left in range(calls, 0, -1):
        clock.now += 0.001
        allowance.throttled(began=0.5, in_flight=left)

    assert allowance.limit == max(1, calls // 2)


def test_a_later_round_halves_it_again() -> None:
    clock = Clock(1.0)
    allowance = AdaptiveLimit(clock)
    allowance.throttled(0.0, 64)
    clock.now = 2.0

    allowance.throttled(1.5, 32)

    assert allowance.limit == 16


def test_it_never_comes_to_nothing() -> None:
    clock = Clock(1.0)
    allowance = AdaptiveLimit(clock)
    for _ in range(20):
        clock.now += 1
        allowance.throttled(clock.now - 0.5, 1)

    assert allowance.limit == 1


def test_a_round_of_calls_that_pass_makes_it_one_more() -> None:
    clock = Clock(1.0)
    allowance = AdaptiveLimit(clock)
    allowance.throttled(0.0, 20)
    for _ in range(10):
        allowance.passed(10)

    assert allowance.limit == 10
    allowance.passed(10)
    assert allowance.limit == 11


def test_it_does_not_grow_where_it_is_not_needed() -> None:
    clock = Clock(1.0)
    allowance = AdaptiveLimit(clock)
    allowance.throttled(0.0, 20)
    for _ in range(100):
        allowance.passed(9)

    assert allowance.limit == 10


def test_a_quiet_minute_and_it_is_forgotten() -> None:
    clock = Clock(1.0)
    allowance = AdaptiveLimit(clock)
    allowance.throttled(0.0, 20)
    clock.now += QUIET_S - 1
    assert allowance.limit == 10

    clock.now += 1

    assert allowance.limit is None


@given(room=st.integers(1, 60), crowd=st.integers(2, 120))
def test_it_settles_at_what_the_model_takes(room: int, crowd: int) -> None:
    """Rounds of a second: of so many that want to call, as many as may do, and those beyond the room are throttled."""
    clock = Clock()
    allowance = AdaptiveLimit(clock)
    called = []
    for _ in range(300):
        clock.now += 1.0
        calls = min(crowd, allowance.limit or crowd)
        called.append(calls)
        for _ in range(min(calls, room)):
            allowance.passed(calls)
        if calls > room:
            allowance.throttled(clock.now - 0.5, calls)

    settled = called[100:]
    if crowd <= room:
        assert set(settled) == {crowd}
    else:
        wasted = sum(max(0, calls - room) for calls in settled)
        used = sum(min(calls, room) for calls in settled)
        assert used >= 0.6 * len(settled) * room
        assert wasted <= 0.15 * used + crowd * 5  # and a burst where a quiet minute has passed
