"""Two processes that share a journal read each other's streams."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.deltas import Done
from service.errors import InvalidRequest, ServiceError
from service.streams.journal import Journal
from tests.streams.samples import (
    DONE,
    LEASE_S,
    RecordingOwner,
    journal_at,
    key,
    read_all,
    record,
    shown,
    start,
    text_deltas,
    text_of,
)
from tests.waiting import eventually, let_pass, patience

Pair = tuple[Journal, Journal]
Owners = tuple[RecordingOwner, RecordingOwner]


async def test_a_stream_is_followed_live_by_another_process(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas("one ")], "streaming")
    await shown(log, 2)
    remote = await there.find(log.stream_id)
    assert remote is not None
    assert remote is not log
    reading = asyncio.create_task(read_all(remote))
    await shown(remote, 2)

    here.append(log, text_deltas("two "), "streaming")
    await shown(remote, 3)
    here.append(log, [*text_deltas("three"), DONE], "done")

    await log.wait_for_end()
    assert await reading == log.events
    assert text_of(remote.events) == "one two three"
    assert (remote.state, remote.record) == ("done", log.record)


async def test_nothing_is_published_anywhere_before_it_is_stored(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas("a")], "streaming")
    assert log.events == []
    await shown(log, 2)

    remote = await there.find(log.stream_id)

    assert remote is not None
    assert remote.events == log.events


async def test_a_remote_stream_has_the_state_queued_or_streaming(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    remote = await there.find(log.stream_id)
    assert remote is not None
    before = remote.state

    here.append(log, [start(log), *text_deltas("a")], "streaming")

    await shown(remote, 2)
    assert (before, remote.state) == ("queued", "streaming")


async def test_many_readers_elsewhere_share_one_log(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())

    remote = await asyncio.gather(*[there.find(log.stream_id) for _ in range(50)])

    assert len({id(remote) for remote in remote}) == 1


async def test_a_finished_stream_is_read_from_the_start_by_another_process(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas(*["word "] * 3000)], "streaming")
    here.append(log, [DONE], "done")
    await log.wait_for_end()

    remote = await there.find(log.stream_id)

    assert remote is not None
    assert remote.events == log.events


async def test_a_stream_outlives_all_processes(shared_url: str) -> None:
    async with journal_at(shared_url) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), *text_deltas("kept"), DONE], "done")
        events = await read_all(log)

    async with journal_at(shared_url) as journal:
        found = await journal.find(log.stream_id)
        assert found is not None
        assert found.events == events


async def test_a_stream_that_is_not_stored_is_unknown_elsewhere(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(store=False))
    here.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    assert await there.find(log.stream_id) is None


async def test_one_key_creates_one_stream_in_any_number_of_processes(shared_url: str) -> None:
    async with AsyncExitStack() as stack:
        journals = [await stack.enter_async_context(journal_at(shared_url)) for _ in range(5)]

        logs = await asyncio.gather(*[journals[n % 5].begin(record(), key()) for n in range(50)])

    assert len({log.stream_id for log in logs}) == 1


async def test_the_stream_of_a_key_is_found_by_every_process(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(), key())
    remote = await there.find_bound(key())
    assert remote is not None
    here.append(log, [start(log), *text_deltas("one"), DONE], "done")

    assert text_of(await read_all(remote)) == "one"
    with pytest.raises(InvalidRequest, match="another body"):
        await there.find_bound(key(fingerprint="other"))


async def test_a_key_used_elsewhere_with_another_body_is_refused(pair: Pair) -> None:
    here, there = pair
    await here.begin(record(), key(fingerprint="one"))

    with pytest.raises(InvalidRequest, match="another body"):
        await there.begin(record(), key(fingerprint="other"))


async def test_a_key_is_free_once_its_stream_has_expired(shared_url: str) -> None:
    async with journal_at(shared_url, ttl_s=0.2, lease_s=0.2) as here, journal_at(shared_url, ttl_s=0.2) as there:
        log = await here.begin(record(), key())
        here.append(log, [start(log), DONE], "done")
        await log.wait_for_end()

        async def can_be_bound_again() -> bool:
            try:
                return (await there.begin(record(), key())).stream_id != log.stream_id
            except ServiceError:  # gone
                return False

        await eventually(can_be_bound_again)


async def test_a_cancellation_reaches_the_producer_in_another_process(pair: Pair, owners: Owners) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await shown(log, 1)

    await there.request_cancel(log.stream_id)

    await eventually(lambda: log.stream_id in owners[0].cancelled)
    assert owners[1].cancelled == []


async def test_a_cancellation_reaches_the_next_producer(pair: Pair, owners: Owners) -> None:
    here, there = pair
    log = await here.begin(record())
    await here.release(log)
    await there.request_cancel(log.stream_id)

    assert await there.take_over(log.stream_id)

    await eventually(lambda: log.stream_id in owners[1].cancelled)


async def test_readers_elsewhere_are_counted_while_they_read(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    assert not await here.is_read_elsewhere(log)
    remote = await there.find(log.stream_id)
    assert remote is not None

    async def is_read() -> bool:
        return await here.is_read_elsewhere(log)

    async def is_not_read() -> bool:
        return not await here.is_read_elsewhere(log)

    with remote.reader():
        await eventually(is_read)
    await eventually(is_not_read)


async def test_readers_elsewhere_are_counted_for_longer_than_a_lease(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    remote = await there.find(log.stream_id)
    assert remote is not None
    with remote.reader():
        for _ in range(8):
            await let_pass(LEASE_S / 4)
            assert await here.is_read_elsewhere(log)


async def test_a_purged_stream_is_gone_everywhere(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), DONE], "done")
    await log.wait_for_end()
    assert await there.find(log.stream_id)

    await here.purge(log)

    assert await there.find(log.stream_id) is None


async def test_readers_elsewhere_of_a_running_stream_get_an_error_after_its_purge(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    remote = await there.find(log.stream_id)
    assert remote is not None
    reading = asyncio.create_task(remote.wait_for_end())

    await here.purge(log)

    async with patience():
        with pytest.raises(ServiceError) as ending:
            await reading
    assert ending.value.code.name == "gone"


async def test_a_released_stream_is_taken_over_before_its_lease_ends(shared_url: str) -> None:
    owner = RecordingOwner()
    async with journal_at(shared_url, lease_s=600) as here, journal_at(shared_url, lease_s=600) as there:
        there.attach(owner)
        await _released_and_taken_over(here, there, owner)


async def _released_and_taken_over(here: Journal, there: Journal, owner: RecordingOwner) -> None:
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas("one ")], "streaming")
    remote = await there.find(log.stream_id)
    assert remote is not None
    with remote.reader():
        await here.release(log)
        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)

        assert taken is remote
        assert (taken.epoch, text_of(taken.events), taken.numbered) == (2, "one ", 2)
        there.append(taken, [*text_deltas("two"), DONE], "done")
        assert text_of(await read_all(log)) == "one two"
        assert await remote.wait_for_end() == DONE


async def test_the_last_events_are_stored_before_a_lease_is_released(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas("all of it")], "streaming")

    await here.release(log)
    taken = await there.take_over(log.stream_id)

    assert taken is not None
    assert text_of(taken.events) == "all of it"


async def test_a_released_stream_ignores_its_old_producer(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await here.release(log)

    here.append(log, text_deltas("too late"), "streaming")
    taken = await there.take_over(log.stream_id)
    assert taken is not None
    there.append(taken, [*text_deltas("right"), DONE], "done")

    assert text_of(await read_all(log)) == text_of(taken.events) == "right"


async def test_a_stream_is_taken_over_by_one_process_only(shared_url: str) -> None:
    async with AsyncExitStack() as stack:
        here, *others = [await stack.enter_async_context(journal_at(shared_url)) for _ in range(6)]
        log = await here.begin(record())
        await here.release(log)

        taken = await asyncio.gather(*[journal.take_over(log.stream_id) for journal in others])

    assert len([log for log in taken if log]) == 1


async def test_a_process_that_does_not_follow_a_stream_finds_it_abandoned(pair: Pair, owners: Owners) -> None:
    here, _ = pair
    log = await here.begin(record())
    await here.release(log)

    await eventually(lambda: log.stream_id in owners[1].abandonments)


async def test_all_streams_that_a_busy_process_left_are_found_at_once(pair: Pair, owners: Owners) -> None:
    """A process may run a thousand, and they must be continued within ten seconds."""
    here, _ = pair
    left = [await here.begin(record()) for _ in range(250)]
    for log in left:
        await here.release(log)

    await eventually(lambda: {log.stream_id for log in left} <= set(owners[1].abandonments))


async def test_a_dead_producers_stream_is_abandoned_after_its_lease(shared_url: str) -> None:
    owner = RecordingOwner()
    async with journal_at(shared_url) as there:
        there.attach(owner)
        async with journal_at(shared_url) as here:
            log = await here.begin(record())
            here.append(log, [start(log), *text_deltas("one ")], "streaming")
            await shown(log, 2)
        # it did not release its lease
        assert await there.take_over(log.stream_id) is None

        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)
        assert taken is not None
        there.append(taken, [*text_deltas("two"), DONE], "done")
        assert text_of(await read_all(taken)) == "one two"


async def test_a_finished_stream_is_neither_abandoned_nor_taken_over(pair: Pair, owners: Owners) -> None:
    here, there = pair
    done = await here.begin(record())
    here.append(done, [start(done), DONE], "done")
    await done.wait_for_end()
    running = await here.begin(record())
    await here.release(running)

    await eventually(lambda: running.stream_id in owners[1].abandonments)

    assert done.stream_id not in owners[1].abandonments
    assert await there.take_over(done.stream_id) is None


async def test_a_key_finds_the_stream_that_was_taken_over(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(), key())
    here.append(log, [start(log)], "streaming")
    await here.release(log)
    taken = await there.take_over(log.stream_id)
    assert taken is not None

    again = await here.begin(record(), key())

    there.append(taken, [DONE], "done")
    assert isinstance((await read_all(again))[-1], Done)
