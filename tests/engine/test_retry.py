"""How long to wait before trying again, and how often the process may."""

from heapq import heapify, heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from service.engine.retry import CAP_S, Budget, Retries, delay_before
from service.errors import ServiceError, UpstreamError
from tests.clock import Clock


@given(attempt=st.integers(2, 40), jitter=st.floats(0, 1), wish=st.none() | st.floats(0, 60))
def test_a_delay_is_never_shorter_than_bedrock_wishes_nor_longer_than_the_cap_above_it(
    attempt: int, jitter: float, wish: float | None
) -> None:
    error = UpstreamError("throttled", retry_after=wish)

    delay = delay_before(attempt, error, jitter=lambda: jitter)

    assert (wish or 0) <= delay <= (wish or 0) + CAP_S


def test_the_ceiling_doubles() -> None:
    error = UpstreamError("throttled")

    assert [delay_before(attempt, error, jitter=lambda: 1.0) for attempt in (2, 3, 4)] == [0.5, 1.0, 2.0]


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


def test_attempts_are_bounded_and_only_what_is_worth_it_is_tried_again() -> None:
    retries = Retries(most=2, budget=Budget(0.1, Clock()))
    throttled, refused = UpstreamError("throttled"), UpstreamError("access_denied")
    retries.begin()

    assert retries.may_follow(throttled, 100)
    assert not retries.may_follow(refused, 100)
    retries.begin()
    assert retries.may_follow(throttled, 100)
    retries.begin()
    assert not retries.may_follow(throttled, 100)


def test_a_wish_beyond_a_minute_or_the_deadline_is_not_waited_for() -> None:
    retries = Retries(most=3, budget=Budget(0.1, Clock()))
    retries.begin()

    assert not retries.may_follow(UpstreamError("throttled", retry_after=61), 1000)
    assert not retries.may_follow(UpstreamError("throttled", retry_after=20), 10)
    assert retries.may_follow(UpstreamError("throttled", retry_after=20), 1000)


def test_what_another_process_has_tried_counts_where_we_go_on() -> None:
    retries = Retries(most=1, budget=Budget(0.1, Clock()))
    retries.go_on(calls=2)
    retries.begin()

    assert retries.attempts == 3
    assert not retries.may_follow(UpstreamError("throttled"), 100)


def test_our_own_refusals_are_never_retried() -> None:
    assert not ServiceError("overloaded").retried
