"""A stream's request is in the journal and in memory while the stream runs, and nowhere after its end."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from service.errors import ServiceError
from service.generation import Message, Request, Text
from service.streams.journal import Journal
from service.streams.log import StreamLog
from service.streams.record import Record
from tests.streams.samples import DONE, RecordingOwner, journal_at, record, text_deltas
from tests.streams.servers import Server
from tests.waiting import eventually

MB = 1_000_000
WORD = "unmistakable"


def large(size: int = MB, word: str = WORD) -> Record:
    """Make a record whose request has a text of `size` characters."""
    text = (word * (size // len(word) + 1))[:size]
    return structs.replace(record(), request=Request("a.model-v1:0", (Message("user", (Text(text),)),), max_tokens=500))


def sizes(journal: Journal, logs: Sequence[StreamLog]) -> tuple[int, int]:
    """The gauge's value, and the expected value."""
    return journal.size, sum(log.size for log in logs)


async def test_a_request_counts_only_while_its_stream_runs(url: str) -> None:
    async with journal_at(url) as journal:
        log = await journal.begin(large())
        assert MB < journal.size < MB + 10_000

        journal.append(log, text_deltas("Yes."), "streaming")
        journal.append(log, [DONE], "done")
        await log.wait_for_end()

        assert journal.size == log.size < 10_000
        assert log.record.request == Request("a.model-v1:0", ())


async def test_running_requests_fill_the_memory_and_are_never_evicted(url: str) -> None:
    async with journal_at(url, memory_bytes=3 * MB) as journal:
        logs = [await journal.begin(large(2 * MB)) for _ in range(2)]  # the second exceeds the bound and is accepted
        with pytest.raises(ServiceError, match="Running generations fill the memory"):
            await journal.begin(large(10))

        journal.append(logs[0], [DONE], "done")
        await logs[0].wait_for_end()
        logs.append(await journal.begin(large(10)))

        assert [log.record.request.messages != () for log in logs] == [False, True, True]
        journal.append(logs[1], text_deltas("It continues."), "streaming")


async def test_a_request_larger_than_the_whole_memory_is_accepted_alone(url: str) -> None:
    async with journal_at(url, memory_bytes=MB) as journal:
        log = await journal.begin(large(4 * MB))
        with pytest.raises(ServiceError, match="Running generations fill the memory"):
            await journal.begin(large(10))
        journal.append(log, text_deltas("Served."), "streaming")
        journal.append(log, [DONE], "done")
        await log.wait_for_end()

        assert await journal.find(log.stream_id) is log


async def test_finished_streams_without_readers_are_evicted_for_a_large_request(url: str) -> None:
    async with journal_at(url, memory_bytes=MB) as journal:
        read, unread = [await journal.begin(large(10)) for _ in range(2)]
        with read.reader():
            for log in (read, unread):
                journal.append(log, [DONE], "done")
                await log.wait_for_end()
            await journal.begin(large(2 * MB))

            assert read.take(0)[-1] == DONE
            with pytest.raises(ServiceError):
                unread.take(0)


async def test_a_process_that_takes_a_stream_over_reads_its_request(shared_url: str) -> None:
    begun = large()
    async with journal_at(shared_url) as here, journal_at(shared_url) as there:
        there.attach(owner := RecordingOwner())
        log = await here.begin(begun)
        followed = await there.find(log.stream_id)
        assert followed
        assert followed.record.request.messages == ()  # a reader's process does not need it
        assert there.size < 10_000

        await here.release(log)
        await eventually(lambda: log.stream_id in owner.abandonments)
        taken = await there.take_over(log.stream_id)

        assert taken
        assert taken.record == begun
        assert sizes(there, [taken])[0] == sizes(there, [taken])[1] > MB
        assert log.record.request.messages == ()  # it belongs to the other process now
        there.append(taken, [DONE], "done")
        await taken.wait_for_end()
        assert there.size < 10_000


async def test_the_sqlite_file_has_no_request_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "streams.db"
    async with journal_at(f"sqlite:///{path}") as journal:
        log = await journal.begin(large())
        with closing(sqlite3.connect(path)) as file:
            count = "SELECT count(*), sum(length(content)) FROM request"
            assert file.execute(count).fetchone()[1] > MB

            journal.append(log, [DONE], "done")
            await log.wait_for_end()

            assert file.execute(count).fetchone()[0] == 0
        await journal.purge(log)

    assert WORD.encode() not in path.read_bytes()


async def test_valkey_has_no_request_after_the_end(valkey: Server) -> None:
    async with journal_at(valkey.url) as journal:
        log = await journal.begin(large())
        used = int(valkey.command("HSTRLEN", f"{{artesian}}:record:{log.stream_id}", "request"))
        assert used > MB

        journal.append(log, [DONE], "done")
        await log.wait_for_end()

        used = int(valkey.command("HSTRLEN", f"{{artesian}}:record:{log.stream_id}", "request"))
        assert used == 0


async def test_a_stream_whose_request_is_damaged_is_taken_over_without_one(tmp_path: Path) -> None:
    """The engine ends such a stream as `interrupted`, since it has no request to send."""
    url = f"sqlite:///{tmp_path}/streams.db"
    async with journal_at(url) as here, journal_at(url) as there:
        there.attach(owner := RecordingOwner())
        log = await here.begin(large())
        with closing(sqlite3.connect(tmp_path / "streams.db")) as file:
            file.execute("UPDATE request SET content = x'00'")
            file.commit()
        await here.release(log)
        await eventually(lambda: log.stream_id in owner.abandonments)

        taken = await there.take_over(log.stream_id)

        assert taken
        assert taken.record.request.messages == ()
