"""What every journal promises, memory included."""

import asyncio

import pytest

from service.deltas import Failed, ToolCallStart, Usage
from service.errors import InvalidRequest, ServiceError
from service.streams.journal import Journal
from service.streams.log import StreamLog
from tests.streams.parts import CANCELLED, DONE, journal_at, key, read_all, record, said, shown, start, text_of
from tests.waiting import eventually, loop_turns


async def test_what_is_appended_is_shown_in_order_and_without_a_gap(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log)], "streaming")
    for word in "abcdef":
        journal.append(log, said(word), "streaming")
    journal.append(log, [DONE], "done")

    events = await read_all(log)

    assert events == [start(log), *said(*"abcdef"), DONE]
    assert (log.state, log.numbered, log.resumable) == ("done", 8, True)


async def test_every_kind_of_event_comes_back_as_it_was(journal: Journal) -> None:
    log = await journal.begin(record())
    events = [
        start(log),
        *said("\u2028 é 🐦"),
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


async def test_readers_that_come_at_any_time_see_the_same(journal: Journal) -> None:
    log = await journal.begin(record())
    early = asyncio.create_task(read_all(log))
    journal.append(log, [start(log), *said("one ")], "streaming")
    await shown(log, 2)
    amid = asyncio.create_task(read_all(log, after=1))
    journal.append(log, [*said("two"), DONE], "done")
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


async def test_an_id_that_nobody_knows_finds_nothing(journal: Journal) -> None:
    assert await journal.find("0" * 31 + "1") is None


async def test_a_finished_stream_is_forgotten_after_its_time(url: str) -> None:
    async with journal_at(url, ttl_s=0.2) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), DONE], "done")
        await log.wait_for_end()

        async def is_forgotten() -> bool:
            return await journal.find(log.stream_id) is None

        await eventually(is_forgotten)


async def test_a_running_stream_is_kept_however_long_it_takes(url: str) -> None:
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


async def test_a_purged_stream_is_gone_at_once_and_its_readers_are_told(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    await journal.purge(log)

    assert await journal.find(log.stream_id) is None
    with pytest.raises(ServiceError, match="no longer kept"):
        log.take(0)


async def test_the_same_key_and_body_attach_to_the_same_stream(journal: Journal) -> None:
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


async def test_other_keys_and_other_callers_are_strangers(journal: Journal) -> None:
    first = await journal.begin(record(), key("a"))

    assert await journal.begin(record(), key("b")) is not first
    assert await journal.begin(record(), key("a")._replace(caller="somebody else")) is not first


async def test_a_key_that_was_freed_binds_anew(journal: Journal) -> None:
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


async def test_the_stream_of_a_key_is_found_without_beginning_one(journal: Journal) -> None:
    assert await journal.find_bound(key()) is None
    first = await journal.begin(record(), key())

    assert await journal.find_bound(key()) is first
    assert await journal.find_bound(key("other")) is None
    assert await journal.find_bound(key()._replace(caller="somebody else")) is None
    with pytest.raises(InvalidRequest, match="another body"):
        await journal.find_bound(key(fingerprint="other"))


async def test_a_key_that_was_freed_leads_nowhere_and_that_of_a_purged_stream_is_gone(journal: Journal) -> None:
    first = await journal.begin(record(), key())
    await journal.unbind(key())
    assert await journal.find_bound(key()) is None

    second = await journal.begin(record(), key())
    await journal.purge(second)
    with pytest.raises(ServiceError) as refusal:
        await journal.find_bound(key())

    assert refusal.value.code.name == "gone"
    assert await journal.find(first.stream_id) is first


async def test_the_key_of_a_stream_that_is_not_to_be_stored_is_found_too(journal: Journal) -> None:
    log = await journal.begin(record(store=False), key())

    assert await journal.find_bound(key()) is log


async def test_fifty_begins_at_once_with_one_key_make_one_stream(journal: Journal) -> None:
    logs = await asyncio.gather(*[journal.begin(record(), key()) for _ in range(50)])

    assert len({id(log) for log in logs}) == 1


async def test_a_stream_that_is_not_to_be_stored_is_kept_in_memory_all_the_same(journal: Journal) -> None:
    log = await journal.begin(record(store=False), key())
    journal.append(log, [start(log), *said("secret"), DONE], "done")

    assert text_of(await read_all(log)) == "secret"
    assert await journal.find(log.stream_id) is log
    assert await journal.begin(record(store=False), key()) is log
    assert log.resumable


async def test_running_streams_that_fill_the_memory_let_no_further_one_begin_and_do_not_break(url: str) -> None:
    async with journal_at(url, memory_bytes=2000) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), *said(*["word "] * 100)], "streaming")
        await shown(log, 101)

        with pytest.raises(ServiceError) as refusal:
            await journal.begin(record())

        journal.append(log, [*said("end"), DONE], "done")
        assert refusal.value.code.name == "overloaded"
        assert (await _ended(log)) == 103


async def _ended(log: StreamLog) -> int:
    await eventually(lambda: log.numbered == 103)
    return log.numbered


async def test_nobody_reads_elsewhere_what_nobody_reads(journal: Journal) -> None:
    log = await journal.begin(record())

    assert not await journal.is_read_elsewhere(log)


async def test_a_running_stream_cannot_be_taken_over(journal: Journal) -> None:
    log = await journal.begin(record())

    assert await journal.take_over(log.stream_id) is None


async def test_the_end_of_a_journal_ends_its_readers_waits(url: str) -> None:
    async with journal_at(url) as journal:
        log = await journal.begin(record())
        waiting = asyncio.create_task(log.wait_for_end())
        await loop_turns(1)

    with pytest.raises(ServiceError) as ending:
        await waiting
    assert ending.value.code.name == "draining"


async def test_what_was_appended_before_the_end_is_still_shown(url: str) -> None:
    async with journal_at(url) as journal:
        log = await journal.begin(record())
        reading = asyncio.create_task(read_all(log))
        await loop_turns(1)
        journal.append(log, [start(log), *said("all of it"), DONE], "done")
        await loop_turns(2)

    assert text_of(await reading) == "all of it"


async def test_usage_survives(journal: Journal) -> None:
    log = await journal.begin(record())
    journal.append(log, [start(log), CANCELLED], "cancelled")

    end = await log.wait_for_end()

    assert getattr(end, "usage", None) == Usage(3, 5, estimated=True)
