"""Streams whose answers have to be stored in the database neither expire nor are evicted before."""

import asyncio

import pytest

from service.errors import ServiceError
from service.streams.cache import StreamCache
from service.streams.journal import Journal
from service.streams.log import StreamLog
from tests.streams.samples import DONE, journal_at, record, start, text_deltas, text_of
from tests.waiting import eventually

TTL_S = 0.1


async def finished(journal: Journal, words: str = "a", *, archived: bool = True) -> StreamLog:
    """Produce a whole stream."""
    log = await journal.begin(record(archived=archived))
    journal.append(log, [start(log), *text_deltas(words), DONE], "done")
    await log.wait_for_end()
    return log


async def is_gone(journal: Journal, stream_id: str) -> bool:
    return await journal.find(stream_id) is None


async def test_an_answer_that_is_not_stored_outlives_every_other(url: str) -> None:
    async with journal_at(url, ttl_s=TTL_S) as journal:
        kept = await finished(journal)
        other = await finished(journal, archived=False)
        await eventually(lambda: is_gone(journal, other.stream_id))
        found = await journal.find(kept.stream_id)
        assert found is not None
        assert text_of(found.events) == "a"

        await journal.stored(kept.stream_id)

        await eventually(lambda: is_gone(journal, kept.stream_id))


async def test_another_process_finds_what_is_not_stored(shared_url: str) -> None:
    async with journal_at(shared_url, ttl_s=TTL_S) as journal:
        kept = await finished(journal)
        stored = await finished(journal)
        await journal.stored(stored.stream_id)
        running = await journal.begin(record(archived=True))
    await asyncio.sleep(TTL_S)  # the time to live has to pass
    async with journal_at(shared_url, ttl_s=TTL_S) as journal:
        assert set(await journal.unstored()) == {kept.stream_id}
        found = await journal.find(kept.stream_id)
        assert found is not None
        assert await journal.retain(found)
        taken: list[StreamLog] = []

        async def take_over() -> bool:
            taken.extend(filter(None, [await journal.take_over(running.stream_id)]))
            return bool(taken)

        await eventually(take_over)  # once its lease has expired
        (log,) = taken
        assert log.record.archived
        journal.append(log, [start(log), DONE], "done")
        await log.wait_for_end()
        await journal.stored(found.stream_id)

        assert set(await journal.unstored()) == {running.stream_id}
        await eventually(lambda: is_gone(journal, kept.stream_id))


async def test_an_answer_that_another_process_has_stored_expires_here_too(shared_url: str) -> None:
    async with journal_at(shared_url, ttl_s=TTL_S) as here, journal_at(shared_url, ttl_s=TTL_S) as there:
        log = await finished(here)
        await there.stored(log.stream_id)

        assert not await here.unstored()

        await eventually(lambda: is_gone(here, log.stream_id))


async def test_a_purged_stream_is_not_listed_as_unstored(shared_url: str) -> None:
    async with journal_at(shared_url) as journal:
        await journal.purge(await finished(journal))

        assert not await journal.unstored()


async def test_unstored_answers_may_fill_half_of_the_memory(url: str) -> None:
    async with journal_at(url, memory_bytes=20_000) as journal:
        first = await finished(journal, "x" * 8_000)
        second = await finished(journal, "x" * 8_000)
        with pytest.raises(ServiceError, match="half of the memory") as refused:
            await journal.begin(record(archived=True))
        assert refused.value.status == 503
        await finished(journal, archived=False)
        assert {first.stream_id, second.stream_id} <= {
            log.stream_id for log in (first, second) if await journal.find(log.stream_id)
        }

        await journal.stored(first.stream_id)

        await finished(journal)


async def test_the_memory_of_unstored_answers_is_counted_once() -> None:
    cache = StreamCache(ttl_s=60, memory_bytes=1000)
    log = StreamLog(record(archived=True))
    cache.add(log)
    cache.retain(log)
    log.publish(1, [start(log), *text_deltas("x" * 1000), DONE])
    assert cache.crowded
    assert cache.unstored == [log]

    cache.retain(log)
    cache.remove(log)

    assert (cache.crowded, cache.unstored, cache.size) == (False, [], 0)
