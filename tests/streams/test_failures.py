"""Streams during and after an outage of their journal."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec import structs

from service.deltas import Status
from service.errors import ServiceError
from service.settings import SettingsError
from service.streams.journal import Journal
from tests.streams.outages import SQLITE, VALKEY, Outage
from tests.streams.samples import (
    DONE,
    LEASE_S,
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
from tests.waiting import eventually, let_pass, patience


@pytest.fixture(params=[*VALKEY, *SQLITE])
async def outage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outage]:
    """A store that can be made unavailable."""
    if kind := SQLITE.get(request.param):
        yield kind(tmp_path)
        return
    server = Server()
    await asyncio.to_thread(server.start)
    yield VALKEY[request.param](server)
    server.remove()


async def test_a_live_stream_continues_and_is_announced_as_not_resumable(outage: Outage) -> None:
    async with journal_at(outage.url) as journal:
        log = await journal.begin(record())
        reading = asyncio.create_task(read_all(log))
        journal.append(log, [start(log), *text_deltas("before ")], "streaming")
        await shown(log, 2)
        await outage.begin()
        try:
            journal.append(log, text_deltas("during "), "streaming")

            await shown(log, 4)

            assert log.events[2:] == [log.events[2], *text_deltas("during ")]
            assert not journal.available
            assert not log.resumable
        finally:
            await outage.end()
        journal.append(log, [*text_deltas("after"), DONE], "done")
        events = await reading

    assert text_of(events) == "before during after"
    assert [event.state for event in events if isinstance(event, Status)] == ["not_resumable"]
    assert len(events) == log.numbered == 6


async def test_a_stream_that_was_silent_for_long_continues_at_once(outage: Outage) -> None:
    async with journal_at(outage.url) as journal:
        busy, silent = await journal.begin(record()), await journal.begin(record())
        for log in (busy, silent):
            journal.append(log, [start(log)], "streaming")
            await shown(log, 1)
        await outage.begin()
        try:
            journal.append(busy, text_deltas("a"), "streaming")
            await eventually(lambda: not busy.resumable)
            assert silent.resumable

            journal.append(silent, [*text_deltas("b"), DONE], "done")

            assert text_of(silent.events) == "b"
            assert announced(silent)
        finally:
            await outage.end()


async def test_a_stream_created_during_an_outage_is_kept_in_memory_and_announced(outage: Outage) -> None:
    async with journal_at(outage.url) as journal, journal_at(outage.url) as other:
        await outage.begin()
        try:
            log = await journal.begin(record(), key())
            journal.append(log, [start(log), *text_deltas("in memory"), DONE], "done")

            events = await read_all(log)

            assert events[0] == start(log)
            assert events[1] == Status("not_resumable", message=getattr(events[1], "message", None))
            assert text_of(events) == "in memory"
            assert await journal.begin(record(), key()) is log
            assert await journal.find(log.stream_id) is log
            assert await _ask(other, log.stream_id) in (503, 410)  # the store is unavailable, or does not have it
        finally:
            await outage.end()
        await eventually(lambda: journal.available and other.available)

        assert await other.find(log.stream_id) is None


async def _ask(journal: Journal, stream_id: str) -> int:
    try:
        return 200 if await journal.find(stream_id) else 410
    except ServiceError as refusal:
        return refusal.status


async def test_streams_are_stored_again_within_ten_seconds_of_an_outage(outage: Outage) -> None:
    async with journal_at(outage.url) as journal, journal_at(outage.url) as other:
        old = await journal.begin(record())
        journal.append(old, [start(old), DONE], "done")
        await old.wait_for_end()
        across = await journal.begin(record())
        await outage.begin()
        try:
            journal.append(across, [start(across)], "streaming")
            await eventually(lambda: not across.resumable)
            await eventually(lambda: not journal.available)
        finally:
            await outage.end()

        await eventually(lambda: journal.available and other.available)

        new = await journal.begin(record())
        journal.append(new, [start(new), *text_deltas("kept"), DONE], "done")
        await new.wait_for_end()
        assert new.resumable
        for log in (old, new):
            found = await other.find(log.stream_id)
            assert found is not None
            assert found.events == log.events

        async def has_expired() -> bool:
            return await other.find(across.stream_id) is None

        await eventually(has_expired)


async def test_nothing_is_taken_over_for_one_lease_after_an_outage(outage: Outage) -> None:
    owner = RecordingOwner()
    async with journal_at(outage.url) as journal, journal_at(outage.url) as other:
        other.attach(owner)
        log = await journal.begin(record())
        journal.append(log, [start(log)], "streaming")
        await shown(log, 1)
        await outage.begin()
        await let_pass(2 * LEASE_S)  # every lease has expired by now
        await outage.end()

        await eventually(lambda: other.available and journal.available)

        assert await other.take_over(log.stream_id) is None
        journal.append(log, [*text_deltas("still mine"), DONE], "done")
        assert text_of(await read_all(log)) == "still mine"
        assert log.resumable
        assert owner.abandonments == []


async def test_a_short_outage_is_not_announced(valkey: Server) -> None:
    async with journal_at(valkey.url, lease_s=5) as journal:
        log = await journal.begin(record())
        valkey.kill()
        journal.append(log, [start(log), *text_deltas("a")], "streaming")
        await eventually(lambda: not journal.available)
        await asyncio.to_thread(valkey.start)

        await shown(log, 2)

        assert log.resumable
        assert log.events == [start(log), *text_deltas("a")]


async def test_an_id_from_before_an_empty_restart_is_gone(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal, journal_at(valkey.url) as other:
        old = await journal.begin(record(), key())
        journal.append(old, [start(old), DONE], "done")
        await old.wait_for_end()
        valkey.kill()
        valkey.wipe()
        await eventually(lambda: not journal.available and not other.available)
        await asyncio.to_thread(valkey.start)
        await eventually(lambda: journal.available and other.available)

        assert await journal.find(old.stream_id) is None
        assert await other.find(old.stream_id) is None
        assert (await journal.begin(record(), key(fingerprint="other"))).stream_id != old.stream_id


async def test_a_live_stream_notices_an_empty_restart(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal, journal_at(valkey.url) as other:
        log = await journal.begin(record())
        journal.append(log, [start(log), *text_deltas("one ")], "streaming")
        await shown(log, 2)
        remote = await other.find(log.stream_id)
        assert remote is not None
        waiting = asyncio.create_task(remote.wait_for_end())
        valkey.kill()
        valkey.wipe()
        await asyncio.to_thread(valkey.start)
        await eventually(lambda: journal.available and other.available)

        journal.append(log, [*text_deltas("two"), DONE], "done")

        assert text_of(await read_all(log)) == "one two"
        assert announced(log)
        with pytest.raises(ServiceError) as ending:
            async with patience():
                await waiting
        assert ending.value.code.name == "gone"
        assert await other.find(log.stream_id) is None


async def test_an_evicted_stream_is_noticed_and_not_created_again(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log), *text_deltas("one ")], "streaming")
        await shown(log, 2)
        valkey.command("DEL", f"{{artesian}}:events:{log.stream_id}")

        journal.append(log, [*text_deltas("two"), DONE], "done")

        assert text_of(await read_all(log)) == "one two"
        assert announced(log)
        assert valkey.command("EXISTS", f"{{artesian}}:events:{log.stream_id}") == b"0"


async def test_a_stream_that_lost_its_end_with_a_server_is_not_continued_with_a_gap(valkey: Server) -> None:
    async with journal_at(valkey.url, lease_s=5) as journal:
        log = await journal.begin(record())
        journal.append(log, [start(log)], "streaming")
        await shown(log, 1)
        journal.append(log, text_deltas("lost"), "streaming")
        await shown(log, 2)
        valkey.command("XDEL", f"{{artesian}}:events:{log.stream_id}", "1-2")  # as a failover may do
        valkey.kill()
        await eventually(lambda: not journal.available)
        await asyncio.to_thread(valkey.start)
        await eventually(lambda: journal.available)

        journal.append(log, [*text_deltas(" and on"), DONE], "done")

        assert text_of(await read_all(log)) == "lost and on"
        assert announced(log)


async def test_a_file_that_is_removed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "streams.db"
    async with journal_at(f"sqlite:///{path}") as journal:
        old = await journal.begin(record())
        journal.append(old, [start(old), DONE], "done")
        await old.wait_for_end()
        log = await journal.begin(record())
        journal.append(log, [start(log)], "streaming")
        await shown(log, 1)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(f"streams.db{suffix}").unlink()

        await eventually(lambda: path.exists() and not log.resumable and journal.available)
        journal.append(log, [*text_deltas("on"), DONE], "done")

        assert text_of(await read_all(log)) == "on"
        assert announced(log)
        assert await journal.find(old.stream_id) is None
        assert (await journal.begin(record())).resumable


async def test_an_unreachable_server_does_not_prevent_the_start(valkey: Server) -> None:
    valkey.kill()
    async with journal_at(valkey.url) as journal:
        assert not journal.available
        log = await journal.begin(record())
        journal.append(log, [start(log), DONE], "done")
        await log.wait_for_end()
        assert announced(log)

        await asyncio.to_thread(valkey.start)

        await eventually(lambda: journal.available)
        assert (await journal.begin(record())).resumable


async def test_readers_have_no_connection_of_their_own(valkey: Server) -> None:
    async with journal_at(valkey.url) as here, journal_at(valkey.url) as there:
        logs = [await here.begin(record()) for _ in range(40)]
        readers: list[asyncio.Task[object]] = []
        for log in logs:
            here.append(log, [start(log)], "streaming")
            for _ in range(5):
                remote = await there.find(log.stream_id)
                assert remote is not None
                readers.append(asyncio.create_task(read_all(remote)))
        connections = valkey.command("CLIENT", "LIST").count(b"\n")
        for log in logs:
            here.append(log, [DONE], "done")
        await asyncio.gather(*readers)

    # each process: one blocking connection, and at most four for commands; and the one that counts them
    assert connections <= 2 * 5 + 1


def _of_another_version(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()


def _a_folder(path: Path) -> None:
    path.mkdir()


def _another_file(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_a_folder, "unable to open"),
        (_another_file, "not a database"),
        (_of_another_version, "version 99"),
    ],
    ids=["a folder", "another file", "another version"],
)
async def test_a_file_that_can_never_be_used_prevents_the_start(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "x.db")

    with pytest.raises(SettingsError, match=reason):
        async with journal_at(f"sqlite:///{tmp_path}/x.db"):
            pass


async def test_a_missing_folder_prevents_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ARTESIAN_JOURNAL_URL: .*/nowhere/x\.db: "):
        async with journal_at(f"sqlite:///{tmp_path}/nowhere/x.db"):
            pass


async def test_an_invalid_address_prevents_the_start() -> None:
    with pytest.raises(SettingsError, match="ARTESIAN_JOURNAL_URL"):
        async with journal_at("redis://127.0.0.1:notaport"):
            pass


async def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    async with journal_at(f"sqlite:///{tmp_path}/x.db"):
        pass

    assert (tmp_path / "x.db").stat().st_mode & 0o077 == 0


async def test_events_that_cannot_be_encoded_are_published_and_other_streams_continue(
    pair: tuple[Journal, Journal],
) -> None:
    here, _ = pair
    odd, even = await here.begin(record()), await here.begin(record())
    here.append(odd, [start(odd), *text_deltas("half a pair: \ud83d"), DONE], "done")
    here.append(even, [start(even), *text_deltas("fine"), DONE], "done")

    assert text_of(await read_all(odd)) == "half a pair: \ud83d"
    assert text_of(await read_all(even)) == "fine"
    assert announced(odd)
    assert even.resumable


async def test_a_stream_whose_request_cannot_be_encoded_is_kept_in_memory(pair: tuple[Journal, Journal]) -> None:
    here, _ = pair
    log = await here.begin(structs.replace(record(), options={"odd": "\ud83d"}))
    here.append(log, [start(log), DONE], "done")

    await log.wait_for_end()
    assert announced(log)


async def test_a_bug_inside_the_journal_does_not_end_it(pair: tuple[Journal, Journal]) -> None:
    here, there = pair

    class FailingOwner(RecordingOwner):
        def abandoned(self, stream_id: str) -> None:
            super().abandoned(stream_id)
            raise ValueError("an owner's bug")

    owner = FailingOwner()
    there.attach(owner)
    log = await here.begin(record())
    await here.release(log)
    await eventually(lambda: len(owner.abandonments) > 1)

    taken = await there.take_over(log.stream_id)

    assert taken is not None
    there.append(taken, [start(taken), DONE], "done")
    assert (await read_all(taken))[-1] == DONE
