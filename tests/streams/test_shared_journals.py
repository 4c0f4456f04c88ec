"""What two processes that share a journal see of each other's streams."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.deltas import Done
from service.errors import InvalidRequest, ServiceError
from service.streams.journal import Journal
from tests.streams.parts import (
    DONE,
    LEASE_S,
    Remembering,
    journal_at,
    key,
    read_all,
    record,
    said,
    shown,
    start,
    text_of,
)
from tests.waiting import eventually, let_pass, patience

Pair = tuple[Journal, Journal]
Owners = tuple[Remembering, Remembering]


async def test_a_stream_is_read_live_where_it_is_not_produced(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *said("one ")], "streaming")
    await shown(log, 2)
    mirror = await there.find(log.stream_id)
    assert mirror is not None
    assert mirror is not log
    reading = asyncio.create_task(read_all(mirror))
    await shown(mirror, 2)

    here.append(log, said("two "), "streaming")
    await shown(mirror, 3)
    here.append(log, [*said("three"), DONE], "done")

    await log.wait_for_end()
    assert await reading == log.events
    assert text_of(mirror.events) == "one two three"
    assert (mirror.state, mirror.record) == ("done", log.record)


async def test_nothing_is_shown_anywhere_before_it_is_kept(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *said("a")], "streaming")
    assert log.events == []
    await shown(log, 2)

    mirror = await there.find(log.stream_id)

    assert mirror is not None
    assert mirror.events == log.events


async def test_a_stream_of_another_process_says_whether_it_waits_or_answers(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    mirror = await there.find(log.stream_id)
    assert mirror is not None
    before = mirror.state

    here.append(log, [start(log), *said("a")], "streaming")

    await shown(mirror, 2)
    assert (before, mirror.state) == ("queued", "streaming")


async def test_many_readers_elsewhere_share_one_log(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())

    mirrors = await asyncio.gather(*[there.find(log.stream_id) for _ in range(50)])

    assert len({id(mirror) for mirror in mirrors}) == 1


async def test_a_finished_stream_is_read_from_the_start_elsewhere(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *said(*["word "] * 3000)], "streaming")
    here.append(log, [DONE], "done")
    await log.wait_for_end()

    mirror = await there.find(log.stream_id)

    assert mirror is not None
    assert mirror.events == log.events


async def test_a_stream_outlives_all_processes(shared_url: str) -> None:
    async with journal_at(shared_url) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), *said("kept"), DONE], "done")
        events = await read_all(log)

    async with journal_at(shared_url) as journal:
        found = await journal.find(log.stream_id)
        assert found is not None
        assert found.events == events


async def test_a_stream_that_is_not_to_be_stored_is_unknown_elsewhere(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(store=False))
    here.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    assert await there.find(log.stream_id) is None


async def test_one_key_makes_one_stream_however_many_processes_are_asked_at_once(shared_url: str) -> None:
    async with AsyncExitStack() as stack:
        journals = [await stack.enter_async_context(journal_at(shared_url)) for _ in range(5)]

        logs = await asyncio.gather(*[journals[n % 5].begin(record(), key()) for n in range(50)])

    assert len({log.stream_id for log in logs}) == 1


async def test_the_stream_of_a_key_is_found_wherever_it_was_begun(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(), key())
    mirror = await there.find_bound(key())
    assert mirror is not None
    here.append(log, [start(log), *said("one"), DONE], "done")

    assert text_of(await read_all(mirror)) == "one"
    with pytest.raises(InvalidRequest, match="another body"):
        await there.find_bound(key(fingerprint="other"))


async def test_a_key_used_elsewhere_with_another_body_is_refused(pair: Pair) -> None:
    here, there = pair
    await here.begin(record(), key(fingerprint="one"))

    with pytest.raises(InvalidRequest, match="another body"):
        await there.begin(record(), key(fingerprint="other"))


async def test_a_key_is_free_once_its_stream_is_out_of_date(shared_url: str) -> None:
    async with journal_at(shared_url, ttl_s=0.2, lease_s=0.2) as here, journal_at(shared_url, ttl_s=0.2) as there:
        log = await here.begin(record(), key())
        here.append(log, [start(log), DONE], "done")
        await log.wait_for_end()

        async def binds_anew() -> bool:
            try:
                return (await there.begin(record(), key())).stream_id != log.stream_id
            except ServiceError:  # gone
                return False

        await eventually(binds_anew)


async def test_a_cancel_asked_elsewhere_reaches_the_producer(pair: Pair, owners: Owners) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await shown(log, 1)

    await there.ask_cancel(log.stream_id)

    await eventually(lambda: log.stream_id in owners[0].cancelled)
    assert owners[1].cancelled == []


async def test_a_cancel_outlives_the_producer_it_was_meant_for(pair: Pair, owners: Owners) -> None:
    here, there = pair
    log = await here.begin(record())
    await here.release(log)
    await there.ask_cancel(log.stream_id)

    assert await there.take_over(log.stream_id)

    await eventually(lambda: log.stream_id in owners[1].cancelled)


async def test_readers_elsewhere_are_known_while_they_are_there(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    assert not await here.is_read_elsewhere(log)
    mirror = await there.find(log.stream_id)
    assert mirror is not None

    async def is_read() -> bool:
        return await here.is_read_elsewhere(log)

    async def is_not_read() -> bool:
        return not await here.is_read_elsewhere(log)

    with mirror.reader():
        await eventually(is_read)
    await eventually(is_not_read)


async def test_readers_elsewhere_are_known_for_longer_than_a_lease(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    mirror = await there.find(log.stream_id)
    assert mirror is not None
    with mirror.reader():
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


async def test_readers_elsewhere_of_a_running_stream_are_told_of_its_purge(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    mirror = await there.find(log.stream_id)
    assert mirror is not None
    reading = asyncio.create_task(mirror.wait_for_end())

    await here.purge(log)

    async with patience():
        with pytest.raises(ServiceError) as ending:
            await reading
    assert ending.value.code.name == "gone"


async def test_a_stream_is_taken_over_before_its_lease_ends_where_its_producer_releases_it(shared_url: str) -> None:
    owner = Remembering()
    async with journal_at(shared_url, lease_s=600) as here, journal_at(shared_url, lease_s=600) as there:
        there.attach(owner)
        await _released_and_taken_over(here, there, owner)


async def _released_and_taken_over(here: Journal, there: Journal, owner: Remembering) -> None:
    log = await here.begin(record())
    here.append(log, [start(log), *said("one ")], "streaming")
    mirror = await there.find(log.stream_id)
    assert mirror is not None
    with mirror.reader():
        await here.release(log)
        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)

        assert taken is mirror
        assert (taken.epoch, text_of(taken.events), taken.numbered) == (2, "one ", 2)
        there.append(taken, [*said("two"), DONE], "done")
        assert text_of(await read_all(log)) == "one two"
        assert await mirror.wait_for_end() == DONE


async def test_what_was_appended_last_is_kept_before_a_lease_is_given_up(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *said("all of it")], "streaming")

    await here.release(log)
    taken = await there.take_over(log.stream_id)

    assert taken is not None
    assert text_of(taken.events) == "all of it"


async def test_a_stream_that_was_given_up_takes_no_more_from_its_old_producer(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await here.release(log)

    here.append(log, said("too late"), "streaming")
    taken = await there.take_over(log.stream_id)
    assert taken is not None
    there.append(taken, [*said("right"), DONE], "done")

    assert text_of(await read_all(log)) == text_of(taken.events) == "right"


async def test_a_stream_is_taken_over_by_one_process_only(shared_url: str) -> None:
    async with AsyncExitStack() as stack:
        here, *others = [await stack.enter_async_context(journal_at(shared_url)) for _ in range(6)]
        log = await here.begin(record())
        await here.release(log)

        taken = await asyncio.gather(*[journal.take_over(log.stream_id) for journal in others])

    assert len([log for log in taken if log]) == 1


async def test_a_process_that_never_heard_of_a_stream_finds_it_abandoned(pair: Pair, owners: Owners) -> None:
    here, _ = pair
    log = await here.begin(record())
    await here.release(log)

    await eventually(lambda: log.stream_id in owners[1].abandonments)


async def test_all_that_a_busy_process_left_is_found_at_once(pair: Pair, owners: Owners) -> None:
    """A process may run a thousand, and they are to be gone on with within ten seconds."""
    here, _ = pair
    left = [await here.begin(record()) for _ in range(250)]
    for log in left:
        await here.release(log)

    await eventually(lambda: {log.stream_id for log in left} <= set(owners[1].abandonments))


async def test_a_dead_producers_stream_is_abandoned_after_its_lease(shared_url: str) -> None:
    owner = Remembering()
    async with journal_at(shared_url) as there:
        there.attach(owner)
        async with journal_at(shared_url) as here:
            log = await here.begin(record())
            here.append(log, [start(log), *said("one ")], "streaming")
            await shown(log, 2)
        # it went without a word, as far as its lease is concerned
        assert await there.take_over(log.stream_id) is None

        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)
        assert taken is not None
        there.append(taken, [*said("two"), DONE], "done")
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


async def test_a_key_leads_to_the_stream_that_was_taken_over(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record(), key())
    here.append(log, [start(log)], "streaming")
    await here.release(log)
    taken = await there.take_over(log.stream_id)
    assert taken is not None

    again = await here.begin(record(), key())

    there.append(taken, [DONE], "done")
    assert isinstance((await read_all(again))[-1], Done)
