"""Streams that other processes take over, that are lost, damaged or not read."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from service.deltas import Done, Event, Failed, Status
from service.errors import ServiceError
from service.streams.journal import Journal
from tests.streams.samples import (
    DONE,
    RecordingOwner,
    announced,
    journal_at,
    key,
    read_all,
    record,
    shown,
    start,
    text_deltas,
    text_of,
)
from tests.streams.servers import Server
from tests.waiting import eventually, loop_turns, patience

Pair = tuple[Journal, Journal]
Owners = tuple[RecordingOwner, RecordingOwner]


class Tampering:
    """Changes a store directly, to produce what otherwise takes time or a defect."""

    def __init__(self, url: str, server: Server) -> None:
        self._path = url.removeprefix("sqlite:///") if url.startswith("sqlite") else None
        self._server = server

    def end_lease(self, stream_id: str) -> None:
        """Let a lease have expired a minute ago."""
        if self._path:
            self._do("UPDATE stream SET lease = 1 WHERE id = ?", stream_id)
        else:
            self._server.command("HSET", f"{{artesian}}:record:{stream_id}", "lease", "1")
            self._server.command("ZADD", "{artesian}:running", "1", stream_id)

    def garble(self, stream_id: str) -> None:
        """Add a batch that cannot be decoded."""
        if self._path:
            self._do(
                "INSERT INTO batch SELECT n, (SELECT max(first) + 1 FROM batch WHERE stream = n), x'ff'"
                " FROM stream WHERE id = ?",
                stream_id,
            )
        else:
            self._server.command("XADD", f"{{artesian}}:events:{stream_id}", "1-99", "batch", "\x7f")

    def garble_record(self, stream_id: str) -> None:
        """Replace a record with bytes that cannot be decoded."""
        if self._path:
            self._do("UPDATE record SET content = x'ff' WHERE stream = (SELECT n FROM stream WHERE id = ?)", stream_id)
        else:
            self._server.command("HSET", f"{{artesian}}:record:{stream_id}", "content", "\x7f")

    def _do(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self._path or "", timeout=5, isolation_level=None)) as database:
            database.execute(statement, values)


@pytest.fixture
def tampering(shared_url: str, server_for_all: Server) -> Tampering:
    """Direct access to the store of the pair."""
    return Tampering(shared_url, server_for_all)


async def take_by_force(journal: Journal, stream_id: str, tampering: Tampering) -> None:
    """Take a stream from a live producer."""

    async def taken() -> bool:
        tampering.end_lease(stream_id)
        return await journal.take_over(stream_id) is not None

    await eventually(taken)


async def test_a_producer_whose_append_is_refused_is_notified_and_its_readers_continue(
    pair: Pair, owners: Owners, tampering: Tampering
) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), *text_deltas("one ")], "streaming")
    reading = asyncio.create_task(read_all(log))
    await shown(log, 2)
    await take_by_force(there, log.stream_id, tampering)

    here.append(log, text_deltas("stale "), "streaming")

    await eventually(lambda: owners[0].replacements == [log])
    taken = await there.find(log.stream_id)
    assert taken is not None
    there.append(taken, [*text_deltas("two"), DONE], "done")
    assert text_of(await reading) == "one two"
    assert owners[1].replacements == []


async def test_a_replaced_producer_is_notified_at_the_next_renewal(
    pair: Pair, owners: Owners, tampering: Tampering
) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await shown(log, 1)

    await take_by_force(there, log.stream_id, tampering)

    await eventually(lambda: owners[0].replacements == [log])
    taken = await there.find(log.stream_id)
    assert taken is not None
    there.append(taken, [DONE], "done")
    assert (await read_all(log))[-1] == DONE
    assert log.numbered == 2


async def test_a_producer_of_its_own_stream_cannot_take_it_over(pair: Pair, tampering: Tampering) -> None:
    here, _ = pair
    log = await here.begin(record())
    tampering.end_lease(log.stream_id)

    assert await here.take_over(log.stream_id) is None


async def test_a_stream_that_cannot_be_read_is_gone(pair: Pair, tampering: Tampering) -> None:
    here, there = pair
    garbled, of_nobody = await here.begin(record()), await here.begin(record())
    for log in (garbled, of_nobody):
        here.append(log, [start(log)], "streaming")
        await shown(log, 1)
    tampering.garble(garbled.stream_id)
    tampering.garble_record(of_nobody.stream_id)

    assert await there.find(garbled.stream_id) is None
    assert await there.find(of_nobody.stream_id) is None


async def test_readers_of_a_stream_with_a_damaged_batch_get_an_error(pair: Pair, tampering: Tampering) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log)], "streaming")
    await shown(log, 1)
    remote = await there.find(log.stream_id)
    assert remote is not None
    waiting = asyncio.create_task(remote.wait_for_end())
    await loop_turns(1)

    tampering.garble(log.stream_id)

    async with patience():
        with pytest.raises(ServiceError) as ending:
            await waiting
    assert ending.value.code.name == "gone"


async def test_a_stream_that_cannot_be_read_is_not_continued(pair: Pair, tampering: Tampering) -> None:
    here, there = pair
    known, unknown = await here.begin(record()), await here.begin(record())
    for log in (known, unknown):
        here.append(log, [start(log)], "streaming")
        await shown(log, 1)
    remote = await there.find(known.stream_id)
    assert remote is not None
    for log in (known, unknown):
        tampering.garble_record(log.stream_id)
        tampering.garble(log.stream_id)
        await here.release(log)

        assert await there.take_over(log.stream_id) is None


async def test_a_stream_without_readers_is_unfollowed(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    remote = await there.find(log.stream_id)
    assert remote is not None
    read = await here.begin(record())
    mirror_read = await there.find(read.stream_id)
    assert mirror_read is not None
    with mirror_read.reader():

        def is_left() -> bool:
            try:
                remote.take(0)
            except ServiceError:
                return True
            return False

        await eventually(is_left)

    assert await there.find(read.stream_id) is mirror_read
    again = await there.find(log.stream_id)
    assert again is not None
    assert again is not remote


async def test_a_log_that_was_evicted_here_is_read_from_the_store_again(shared_url: str) -> None:
    async with journal_at(shared_url, memory_bytes=20_000) as journal:
        logs = []
        for _ in range(5):
            log = await journal.begin(record())
            journal.append(log, [start(log), *text_deltas(*["word "] * 50), DONE], "done")
            events = await read_all(log)
            logs.append((log.stream_id, events))

        for stream_id, events in logs:
            found = await journal.find(stream_id)
            assert found is not None
            assert found.events == events


async def test_a_stream_is_cancelled_in_its_own_process(pair: Pair, owners: Owners) -> None:
    here, _ = pair
    stored, unstored = await here.begin(record()), await here.begin(record(store=False))

    await here.request_cancel(stored.stream_id)
    await here.request_cancel(unstored.stream_id)

    assert owners[0].cancelled == [stored.stream_id, unstored.stream_id]
    assert not await here.is_read_elsewhere(unstored)


async def test_releasing_a_finished_stream_does_nothing(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    here.append(log, [start(log), DONE], "done")
    await log.wait_for_end()

    await here.release(log)

    assert await there.take_over(log.stream_id) is None


async def test_calls_fail_with_503_during_an_outage(valkey: Server) -> None:
    async with journal_at(valkey.url) as here, journal_at(valkey.url) as there:
        log = await here.begin(record())
        here.append(log, [start(log)], "streaming")
        await shown(log, 1)
        ended = await here.begin(record())
        here.append(ended, [start(ended), DONE], "done")
        await ended.wait_for_end()
        valkey.kill()
        await eventually(lambda: not here.available and not there.available)

        with pytest.raises(ServiceError) as refusal:
            await there.request_cancel(log.stream_id)
        assert refusal.value.status == 503
        assert await here.is_read_elsewhere(log)  # assumed during an outage
        assert await here.find(ended.stream_id) is ended
        assert await there.take_over(log.stream_id) is None
        await here.unbind(key())


async def test_a_stream_purged_during_an_outage_is_gone_afterwards(valkey: Server) -> None:
    async with journal_at(valkey.url) as here, journal_at(valkey.url) as there:
        log = await here.begin(record())
        here.append(log, [start(log), DONE], "done")
        await log.wait_for_end()
        valkey.kill()
        await eventually(lambda: not here.available and not there.available)
        await here.purge(log)
        await asyncio.to_thread(valkey.start)
        await eventually(lambda: here.available and there.available)

        async def is_gone() -> bool:
            return await there.find(log.stream_id) is None

        await eventually(is_gone)


async def test_a_stream_released_during_an_outage_is_taken_over_afterwards(valkey: Server) -> None:
    owner = RecordingOwner()
    async with journal_at(valkey.url) as here, journal_at(valkey.url) as there:
        there.attach(owner)
        log = await here.begin(record())
        here.append(log, [start(log), *text_deltas("one ")], "streaming")
        await shown(log, 2)
        valkey.kill()
        await eventually(lambda: not here.available)
        await here.release(log)
        await asyncio.to_thread(valkey.start)

        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)
        assert taken is not None
        there.append(taken, [*text_deltas("two"), DONE], "done")
        assert text_of(await read_all(log)) == "one two"


async def test_a_remote_stream_catches_up_after_an_outage(valkey: Server) -> None:
    async with journal_at(valkey.url, lease_s=5) as here, journal_at(valkey.url, lease_s=5) as there:
        log = await here.begin(record())
        remote = await there.find(log.stream_id)
        assert remote is not None
        reading = asyncio.create_task(read_all(remote))
        for word in ("one ", "two ", "three "):
            here.append(log, [*([] if log.events else [start(log)]), *text_deltas(word)], "streaming")
            await eventually(lambda: log.numbered == len(log.events))
            valkey.kill()
            await eventually(lambda: not here.available and not there.available)
            await asyncio.to_thread(valkey.start)
            await eventually(lambda: here.available and there.available)
        here.append(log, [DONE], "done")

        assert text_of(await reading) == "one two three "
        assert log.resumable


async def test_two_requests_with_one_key_during_an_outage_create_one_stream(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal:
        valkey.kill()

        assert await journal.find_bound(key()) is None  # unknown during an outage
        logs = await asyncio.gather(*[journal.begin(record(), key()) for _ in range(10)])

        assert await journal.find_bound(key()) is logs[0]
        assert len({id(log) for log in logs}) == 1
        assert not logs[0].resumable


async def test_a_state_is_derived_from_the_events(pair: Pair) -> None:
    here, there = pair
    log = await here.begin(record())
    remote = await there.find(log.stream_id)
    assert remote is not None
    states = [remote.state]
    events: list[list[Event]] = [
        [start(log), Status("queued", place=1)],
        [Status("retrying")],
        text_deltas("a"),
        [Status("slow")],
    ]
    for count, batch in zip((2, 3, 4, 5), events, strict=True):
        here.append(log, batch, "streaming")
        await shown(remote, count)
        states.append(remote.state)
    here.append(log, [Failed("internal", "x", 500, retryable=False, partial=True)], "failed")
    await remote.wait_for_end()

    assert [*states, remote.state] == ["queued", "queued", "starting", "streaming", "streaming", "failed"]


async def test_a_key_is_kept_as_long_as_its_stream(url: str) -> None:
    async with journal_at(url, ttl_s=0.2, lease_s=0.3) as journal:
        log = await journal.begin(record(store=False), key())
        passing = await journal.begin(record(), key("other"))
        journal.append(passing, [start(passing), DONE], "done")
        await passing.wait_for_end()

        async def has_passed() -> bool:
            return await journal.find(passing.stream_id) is None

        await eventually(has_passed)

        assert await journal.begin(record(store=False), key()) is log
        journal.append(log, [start(log), DONE], "done")
        assert isinstance(await log.wait_for_end(), Done)


async def test_a_stream_that_was_lost_is_announced_only_once(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log)], "streaming")
        await shown(log, 1)
        valkey.command("FLUSHALL")
        for word in ("a", "b", "c"):
            journal.append(log, text_deltas(word), "streaming")
            await eventually(lambda: log.numbered == len(log.events))
        journal.append(log, [DONE], "done")

        assert text_of(await read_all(log)) == "abc"
        assert announced(log)
