"""What a key may use: requests and tokens a minute, generations at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from unittest.mock import ANY

import pytest
import pytest_asyncio
from redis.asyncio import SSLConnection

from service.access.caller import ANONYMOUS, Caller
from service.access.counters import Counters
from service.access.rates import ExpectedUsage, Grant, Rates, Spent, open_rates
from service.errors import RateLimited
from tests.streams.servers import Server
from tests.waiting import eventually, patience

CALLER = Caller("key", requests_per_minute=2, tokens_per_minute=100, streams=5)
SMALL = ExpectedUsage(10, 20)


@pytest_asyncio.fixture
async def rates() -> AsyncIterator[Rates]:
    async with open_rates("memory://") as rates:
        yield rates


def tokens(number: int) -> Spent:
    return Spent(0, number)


def remaining(rates: Rates, caller: Caller) -> dict[str, int]:
    return {standing.name: standing.remaining for standing in rates.limit_states(caller)}


async def refused(rates: Rates, caller: Caller, wanted: ExpectedUsage = SMALL) -> RateLimited:
    with pytest.raises(RateLimited) as refusal:
        await rates.admit(caller, wanted)
    return refusal.value


async def settled(rates: Rates, caller: Caller, name: str, number: int) -> None:
    """Let the loop turn until a correction is made."""
    await eventually(lambda: remaining(rates, caller)[name] == number)


async def test_a_key_makes_so_many_requests_a_minute_and_is_told_when_the_next_is_taken(rates: Rates) -> None:
    for _ in range(2):
        await rates.admit(CALLER, SMALL)

    refusal = await refused(rates, CALLER)

    assert (refusal.code.name, refusal.status, refusal.limit) == ("rate_limited", 429, "requests")
    assert refusal.retry_after is not None
    assert 1 <= refusal.retry_after <= 60


async def test_keys_do_not_use_up_each_others_limits(rates: Rates) -> None:
    for _ in range(2):
        await rates.admit(CALLER, SMALL)

    await rates.admit(Caller("other", requests_per_minute=2), SMALL)


async def test_a_key_without_limits_is_not_counted_and_the_library_not_loaded(rates: Rates) -> None:
    for _ in range(100):
        (await rates.admit(ANONYMOUS, SMALL)).settle(tokens(1_000_000))

    assert rates.limit_states(ANONYMOUS) == []


async def test_what_was_set_aside_and_not_used_is_given_back(rates: Rates) -> None:
    caller = Caller("key", tokens_per_minute=100)
    grant = await rates.admit(caller, ExpectedUsage(10, 80))
    assert remaining(rates, caller) == {"tokens": 10}

    grant.settle(tokens(15))

    await settled(rates, caller, "tokens", 85)


async def test_one_answer_may_be_longer_than_the_limit_and_the_next_waits(rates: Rates) -> None:
    caller = Caller("key", tokens_per_minute=100)
    grant = await rates.admit(caller, ExpectedUsage(10, 500))
    assert (await refused(rates, caller)).limit == "tokens"

    grant.settle(tokens(120))
    await settled(rates, caller, "tokens", 0)

    refusal = await refused(rates, caller)
    assert refusal.limit == "tokens"
    assert refusal.retryable


async def test_an_answer_longer_than_expected_is_charged_in_full(rates: Rates) -> None:
    caller = Caller("key", tokens_per_minute=100)
    (await rates.admit(caller, ExpectedUsage(10, 20))).settle(tokens(70))

    await settled(rates, caller, "tokens", 30)


async def test_a_request_that_can_never_be_within_the_limit_is_not_worth_repeating(rates: Rates) -> None:
    refusal = await refused(rates, CALLER, ExpectedUsage(101, 0))

    assert refusal.limit == "tokens"
    assert not refusal.retryable
    assert "101" in refusal.message
    assert "100" in refusal.message


async def test_an_input_that_does_not_fit_any_more_waits(rates: Rates) -> None:
    await rates.admit(CALLER, ExpectedUsage(60, 0))

    refusal = await refused(rates, CALLER, ExpectedUsage(60, 0))

    assert refusal.limit == "tokens"
    assert refusal.retryable


async def test_a_refusal_charges_nothing(rates: Rates) -> None:
    await refused(rates, CALLER, ExpectedUsage(101, 0))

    await settled(rates, CALLER, "requests", 2)
    assert remaining(rates, CALLER) == {"requests": 2, "tokens": 100, "streams": 5}


async def test_a_generation_that_never_was_is_not_charged(rates: Rates) -> None:
    (await rates.admit(CALLER, SMALL)).withdraw()

    await settled(rates, CALLER, "requests", 2)
    await settled(rates, CALLER, "tokens", 100)


async def test_so_many_generations_run_at_once(rates: Rates) -> None:
    caller = Caller("key", streams=2)
    grants = [await rates.admit(caller, SMALL) for _ in range(2)]

    assert (await refused(rates, caller)).limit == "streams"
    grants[0].settle(tokens(1))
    await rates.admit(caller, SMALL)


async def test_who_asks_at_once_does_not_slip_past_the_streams(rates: Rates) -> None:
    caller = Caller("key", streams=3, requests_per_minute=100)

    tried = await asyncio.gather(*(rates.admit(caller, SMALL) for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(one, Grant) for one in tried) == 3


async def test_a_key_that_may_run_nothing_is_told_that_waiting_is_no_use(rates: Rates) -> None:
    assert not (await refused(rates, Caller("key", streams=0))).retryable
    assert not (await refused(rates, Caller("key", requests_per_minute=0))).retryable


async def test_a_generation_taken_over_counts_as_a_stream_and_is_charged_what_was_not_reserved(rates: Rates) -> None:
    caller = Caller("key", streams=1, requests_per_minute=2, tokens_per_minute=100)
    grant = rates.take_over(caller, 20)

    assert (await refused(rates, caller)).limit == "streams"
    assert remaining(rates, caller)["requests"] == 2
    grant.settle(Spent(30, 25))
    await settled(rates, caller, "tokens", 65)


async def test_a_grant_is_settled_once(rates: Rates) -> None:
    caller = Caller("key", streams=2)
    first = await rates.admit(caller, SMALL)
    await rates.admit(caller, SMALL)
    first.settle(tokens(1))
    first.settle(tokens(1))
    first.withdraw()

    assert remaining(rates, caller) == {"streams": 1}


async def test_two_processes_count_together_in_valkey(server: Server) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(open_rates(server.url)) for _ in range(2)]
        grant = await one.admit(CALLER, ExpectedUsage(10, 80))
        await other.admit(Caller("someone else", requests_per_minute=2), SMALL)
        await other.admit(CALLER, ExpectedUsage(5, 0))

        assert remaining(other, CALLER) == {"requests": 0, "tokens": 5, "streams": 4}
        assert (await refused(one, CALLER)).limit == "requests"
        grant.settle(tokens(20))
        await settled(one, CALLER, "tokens", 75)


async def test_a_valkey_that_is_away_stops_nobody_and_each_process_continues_from_the_last_count(
    server: Server,
) -> None:
    async with open_rates(server.url) as rates:
        await rates.admit(CALLER, SMALL)
        server.kill()
        await rates.admit(CALLER, SMALL)

        assert (await refused(rates, CALLER)).limit == "requests"


async def test_what_was_counted_while_valkey_was_away_is_reported_when_it_is_back(server: Server) -> None:
    caller = Caller("key", requests_per_minute=10)
    async with AsyncExitStack() as stack:
        counters = Counters(server.url)
        stack.push_async_callback(counters.close)
        assert (await counters.add("requests", 10, "key", 1)).shared
        server.kill()
        assert await counters.add("requests", 10, "key", 2) == (3, ANY, False)
        server.start()
        counters._retry_at = 0  # noqa: SLF001 - as after five seconds
        other = await stack.enter_async_context(open_rates(server.url))
        assert (await counters.add("requests", 10, "key", 1)).used == 4
        await other.admit(caller, SMALL)

        assert remaining(other, caller) == {"requests": 5}


async def test_an_error_about_one_keys_value_is_no_outage_for_the_others(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A count that the server cannot hold (2^63) once made each process count every key from zero."""
    counters = Counters(server.url)
    try:
        for _ in range(2):
            assert not (await counters.add("tokens", 100, "large", 2**63)).shared
        assert (await counters.add("tokens", 100, "other", 1)).shared
    finally:
        await counters.close()

    assert caplog.text.count("counted in this process only") == 1


async def test_a_valkey_that_does_not_answer_is_not_waited_for_twice(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_rates(server.url) as rates:
        await rates.admit(CALLER, SMALL)
        server.pause()
        many = [Caller(f"key {number}", requests_per_minute=1) for number in range(50)]
        try:
            async with patience():
                await asyncio.gather(*(rates.admit(caller, SMALL) for caller in many))
        finally:
            server.resume()

    assert caplog.text.count("in this process only") == 1


async def test_a_crowd_waits_for_valkey_rather_than_take_it_for_away(server: Server) -> None:
    caller = Caller("key", requests_per_minute=1000, tokens_per_minute=1_000_000)
    async with open_rates(server.url) as rates:
        grants = await asyncio.gather(*(rates.admit(caller, SMALL) for _ in range(1000)))

        assert all(grant.request and grant.request.shared for grant in grants)
        assert (await refused(rates, caller)).limit == "requests"


@pytest.mark.parametrize(
    ("spent", "used"),
    [
        (Spent(0, 0), 0),
        (Spent(None, 0), 10),
        (Spent(30, 40), 70),
        (Spent(2, 0, continues=True), 7),
    ],
    ids=["no call was sent", "calls were sent and none was accepted", "as reported", "another process goes on"],
)
async def test_a_reservation_is_replaced_by_what_was_used(rates: Rates, spent: Spent, used: int) -> None:
    caller = Caller("key", tokens_per_minute=100)
    (await rates.admit(caller, ExpectedUsage(10, 5))).settle(spent)

    await settled(rates, caller, "tokens", 100 - used)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("valkey://user:secret@host:7000/2", {"host": "host", "port": 7000, "db": 2, "username": "user"}),
        ("redis://host", {"host": "host"}),
        ("unix:///tmp/socket", {"path": "/tmp/socket"}),  # noqa: S108 - nothing is opened there
    ],
)
async def test_the_journals_address_is_where_it_is_counted(url: str, place: dict[str, object]) -> None:
    counters = Counters(url)
    pool = counters.pool
    assert pool is not None
    assert pool.connection_kwargs.items() >= place.items()
    await counters.close()


async def test_an_encrypted_connection_is_one_here_too() -> None:
    counters = Counters("valkeys://host")
    assert counters.pool is not None
    assert counters.pool.connection_class is SSLConnection
    await counters.close()
