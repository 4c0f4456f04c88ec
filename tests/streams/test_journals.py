"""The behaviour of every journal, memory included."""

import asyncio

import pytest

from service.deltas import Failed, ToolCallStart, Usage
from service.errors import InvalidRequest, ServiceError
from service.streams.journal import Journal
from service.streams.log import StreamLog
from tests.streams.samples import CANCELLED, DONE, journal_at, key, read_all, record, shown, start, text_deltas, text_of
from tests.waiting import eventually, loop_turns


async def test_appended_events_are_published_in_order_without_a_gap(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log)], "streaming")
    for word in "abcdef":
        journal.append(log, text_deltas(word), "streaming")
    journal.append(log, [DONE], "done")

    events = await read_all(log)

    assert events == [start(log), *text_deltas(*"abcdef"), DONE]
    assert (log.state, log.numbered, log.resumable) == ("done", 8, True)


async def test_every_kind_of_event_is_decoded_as_it_was_encoded(journal: Journal) -> None:
    log = await journal.begin(record())
    events = [
        start(log),
        *text_deltas("\u2028 é 🐦"),
        ToolCallStart(1, "id", "name"),
        Failed("internal", "x", 500, False, True),
    ]
    journal.append(log, events, "failed")
    await log.wait_for_end()

    found = await journal.find(log.stream_id)

    assert found is not None
    assert found.events == events
    assert found.record == log.record


@pytest.mark.parametrize(
    ("end", "state"), [(DONE, "done"), (CANCELLED, "cancelled"), (Failed("internal", "x", 500, False, False), "failed")]
)
async def test_the_last_event_sets_the_state(journal: Journal, end: Failed, state: str) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log), end], "streaming")

    assert await log.wait_for_end() == end
    assert log.state == state


async def test_readers_that_start_at_different_times_read_the_same(journal: Journal) -> None:
    log = await journal.begin(record())
    early = asyncio.create_task(read_all(log))
    journal.append(log, [start(log), *text_deltas("one ")], "streaming")
    await shown(log, 2)
    amid = asyncio.create_task(read_all(log, after=1))
    journal.append(log, [*text_deltas("two"), DONE], "done")
    await log.wait_for_end()

    late = await read_all(log)

    assert await early == late
    assert await amid == late[1:]
    assert text_of(late) == "one two"


async def test_a_stream_is_found_while_it_runs_and_after_its_end(journal: Journal) -> None:
    log = await journal.begin(record())
    assert await journal.find(log.stream_id) is log
    journal.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    assert await journal.find(log.stream_id) is log


async def test_an_unknown_id_finds_nothing(journal: Journal) -> None:
    assert await journal.find("0" * 31 + "1") is None


async def test_a_finished_stream_expires(url: str) -> None:
    async with journal_at(url, ttl_s=0.2) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), DONE], "done")
        await log.wait_for_end()

        async def has_expired() -> bool:
            return await journal.find(log.stream_id) is None

        await eventually(has_expired)


async def test_a_running_stream_does_not_expire(url: str) -> None:
    async with journal_at(url, ttl_s=0.1, lease_s=0.3) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log)], "streaming")
        other = await journal.begin(record())
        journal.append(other, [start(other), DONE], "done")
        await other.wait_for_end()

        async def has_passed() -> bool:
            return await journal.find(other.stream_id) is None

        await eventually(has_passed)  # longer than the time to live
        journal.append(log, [DONE], "done")

        assert await read_all(log) == [start(log), DONE]
        assert log.resumable


async def test_a_purged_stream_is_gone_at_once_and_its_readers_get_an_error(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    await journal.purge(log)

    assert await journal.find(log.stream_id) is None
    with pytest.raises(ServiceError, match="no longer kept"):
        log.take(0)


async def test_the_same_key_and_body_return_the_same_stream(journal: Journal) -> None:
    first = await journal.begin(record(), key())

    again = await journal.begin(record(), key())

    assert again is first
    journal.append(first, [start(first), DONE], "done")
    await first.wait_for_end()
    assert await journal.begin(record(), key()) is first


async def test_the_same_key_with_another_body_is_refused(journal: Journal) -> None:
    await journal.begin(record(), key(fingerprint="one"))

    with pytest.raises(InvalidRequest, match="another body"):
        await journal.begin(record(), key(fingerprint="other"))


async def test_other_keys_and_other_callers_create_other_streams(journal: Journal) -> None:
    first = await journal.begin(record(), key("a"))

    assert await journal.begin(record(), key("b")) is not first
    assert await journal.begin(record(), key("a")._replace(caller="another caller")) is not first


async def test_a_key_that_was_freed_can_be_bound_again(journal: Journal) -> None:
    first = await journal.begin(record(), key())
    await journal.purge(first)
    await journal.unbind(key())

    assert (await journal.begin(record(), key(fingerprint="other"))).stream_id != first.stream_id


async def test_the_key_of_a_purged_stream_is_gone(journal: Journal) -> None:
    first = await journal.begin(record(), key())
    journal.append(first, [start(first), DONE], "done")
    await first.wait_for_end()
    await journal.purge(first)

    with pytest.raises(ServiceError, match="Idempotency-Key") as refusal:
        await journal.begin(record(), key())

    assert refusal.value.status == 410


async def test_the_stream_of_a_key_is_found_without_creating_one(journal: Journal) -> None:
    assert await journal.find_bound(key()) is None
    first = await journal.begin(record(), key())

    assert await journal.find_bound(key()) is first
    assert await journal.find_bound(key("other")) is None
    assert await journal.find_bound(key()._replace(caller="another caller")) is None
    with pytest.raises(InvalidRequest, match="another body"):
        await journal.find_bound(key(fingerprint="other"))


async def test_a_freed_key_finds_nothing_and_that_of_a_purged_stream_is_gone(journal: Journal) -> None:
    first = await journal.begin(record(), key())
    await journal.unbind(key())
    assert await journal.find_bound(key()) is None

    second = await journal.begin(record(), key())
    await journal.purge(second)
    with pytest.raises(ServiceError) as refusal:
        await journal.find_bound(key())

    assert refusal.value.code.name == "gone"
    assert await journal.find(first.stream_id) is first


async def test_the_key_of_a_stream_that_is_not_stored_is_found_too(journal: Journal) -> None:
    log = await journal.begin(record(store=False), key())

    assert await journal.find_bound(key()) is log


async def test_fifty_concurrent_requests_with_one_key_create_one_stream(journal: Journal) -> None:
    logs = await asyncio.gather(*[journal.begin(record(), key()) for _ in range(50)])

    assert len({id(log) for log in logs}) == 1


async def test_a_stream_that_is_not_stored_is_kept_in_memory(journal: Journal) -> None:
    log = await journal.begin(record(store=False), key())
    journal.append(log, [start(log), *text_deltas("secret"), DONE], "done")

    assert text_of(await read_all(log)) == "secret"
    assert await journal.find(log.stream_id) is log
    assert await journal.begin(record(store=False), key()) is log
    assert log.resumable


async def test_running_streams_that_fill_the_memory_prevent_further_ones_and_continue(url: str) -> None:
    async with journal_at(url, memory_bytes=2000) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), *text_deltas(*["word "] * 100)], "streaming")
        await shown(log, 101)

        with pytest.raises(ServiceError) as refusal:
            await journal.begin(record())

        journal.append(log, [*text_deltas("end"), DONE], "done")
        assert refusal.value.code.name == "overloaded"
        assert (await _ended(log)) == 103


async def _ended(log: StreamLog) -> int:
    await eventually(lambda: log.numbered == 103)
    return log.numbered


async def test_a_stream_without_readers_is_not_read_elsewhere(journal: Journal) -> None:
    log = await journal.begin(record())

    assert not await journal.is_read_elsewhere(log)


async def test_a_running_stream_cannot_be_taken_over(journal: Journal) -> None:
    log = await journal.begin(record())

    assert await journal.take_over(log.stream_id) is None


async def test_closing_a_journal_ends_the_waits_of_its_readers(url: str) -> None:
    async with journal_at(url) as journal:
        log = await journal.begin(record())
        waiting = asyncio.create_task(log.wait_for_end())
        await loop_turns(1)

    with pytest.raises(ServiceError) as ending:
        await waiting
    assert ending.value.code.name == "draining"


async def test_events_appended_before_the_close_are_published(url: str) -> None:
    async with journal_at(url) as journal:
        log = await journal.begin(record())
        reading = asyncio.create_task(read_all(log))
        await loop_turns(1)
        journal.append(log, [start(log), *text_deltas("all of it"), DONE], "done")
        await loop_turns(2)

    assert text_of(await reading) == "all of it"


async def test_usage_is_stored(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log), CANCELLED], "cancelled")

    end = await log.wait_for_end()

    assert getattr(end, "usage", None) == Usage(3, 5, estimated=True)
