"""How many retries a generation and a process may make."""

from heapq import heapify, heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from service.engine.retry import Budget, Retries
from tests.clock import Clock


def test_a_process_may_retry_a_tenth_of_its_traffic_and_three_a_second() -> None:
    clock = Clock()
    budget = Budget(0.1, clock)
    for _ in range(1000):
        budget.note_call()

    assert sum(budget.take() for _ in range(1000)) == 130


def test_the_budget_comes_back_with_time() -> None:
    clock = Clock()
    budget = Budget(0.1, clock)
    assert sum(budget.take() for _ in range(100)) == 30

    clock.now = 15.5

    assert budget.take()


@given(waits=st.lists(st.floats(0, 3.5), min_size=3, max_size=3), pace=st.floats(1, 10))
def test_ten_seconds_of_requests_are_not_retried_more_often_than_their_share_however_late(
    waits: list[float], pace: float
) -> None:
    """A thousand requests, evenly over the seconds of `pace`, all failing, each retried up to three times."""
    clock = Clock()
    budget = Budget(0.1, clock)
    moments = [(pace * number / 1000, 0) for number in range(1000)]
    retries = 0
    heapify(moments)
    while moments:
        clock.now, tried = heappop(moments)
        if tried == 0:
            budget.note_call()
        if tried < 3 and budget.take():
            retries += 1
            heappush(moments, (clock.now + min(waits[tried], 0.5 * 2**tried), tried + 1))

    assert 100 <= retries <= 130


def test_a_retry_is_spent_from_the_budget_of_the_process() -> None:
    retries = Retries(most=100, budget=Budget(0.1, Clock()))
    for _ in range(30):
        assert retries.budget_left
        retries.spend()

    assert retries.made == 30
    assert not retries.budget_left


def test_calls_of_another_process_count_and_the_continuation_is_a_retry() -> None:
    retries = Retries(most=1, budget=Budget(0.1, Clock()))
    retries.take_over(calls=2)
    retries.begin()

    assert retries.attempts == 3
    assert retries.made == retries.most
