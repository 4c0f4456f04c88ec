"""One stream's log, and the cache of a process's logs."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.deltas import Done, Failed, GuardrailTrace, Start, Status, StopReason, TextDelta, ToolCallDelta
from service.errors import InvalidRequest, ServiceError
from service.streams.cache import StreamCache
from service.streams.codec import Unreadable, Unwritable, decode_events, decode_record, encode_events, encode_record
from service.streams.log import BATCH, StreamLog, size_of
from service.streams.record import NOWHERE, new_stream_id, parse_event_id, parse_stream_id
from tests.streams.samples import CANCELLED, DONE, read_all, record, start, text_deltas
from tests.waiting import loop_turns, patience

FAILED = Failed("throttled", "Slow down.", 429, retryable=True, partial=False)


def make_log(*words: str, end: bool = False) -> StreamLog:
    log = StreamLog(record())
    log.publish(1, [start(log), *text_deltas(*words), *([DONE] if end else [])])
    return log


async def test_an_event_published_out_of_order_is_a_bug() -> None:
    log = make_log("a")

    with pytest.raises(AssertionError, match="event 4 published after 2"):
        log.publish(4, text_deltas("b"))


async def test_events_are_numbered_before_they_are_published() -> None:
    log = StreamLog(record())

    assert [log.number(text_deltas("a", "b")), log.number(text_deltas("c"))] == [1, 3]
    assert (log.numbered, len(log.events)) == (3, 0)


async def test_a_reader_takes_bounded_batches() -> None:
    log = make_log(*["word"] * (BATCH + 10))

    first = log.take(0)
    second = log.take(len(first))

    assert (len(first), len(second)) == (BATCH, 11)
    assert [*first, *second] == log.events


async def test_a_waiting_reader_is_woken_by_the_next_event() -> None:
    log = make_log("a")
    waiting = asyncio.create_task(log.wait(2))
    await loop_turns(1)
    assert log.busy

    log.publish(3, text_deltas("b"))

    async with patience():
        await waiting
    assert not log.busy


async def test_a_reader_that_is_behind_does_not_wait() -> None:
    await make_log("a").wait(1)


async def test_readers_are_counted_for_the_producer_and_for_the_journal() -> None:
    log = make_log()
    counts: list[int] = []
    emptied: list[bool] = []
    log.on_readers = counts.append
    log.on_empty = lambda _: emptied.append(True)

    with log.reader(), log.reader():
        assert (log.readers, emptied) == (2, [])

    assert (counts, emptied) == ([1, 2, 1, 0], [True])


@pytest.mark.parametrize(
    ("events", "refused"),
    [
        ([FAILED], True),
        ([Start("s", "m", "converse", "local"), Status("queued"), FAILED], True),
        ([TextDelta(0, "a"), FAILED], False),
        ([DONE], False),
    ],
    ids=["alone", "after its start", "after text", "no failure"],
)
async def test_a_failure_before_any_content_is_a_refusal(
    events: list[Start | Status | TextDelta | Done | Failed], *, refused: bool
) -> None:
    log = StreamLog(record())
    log.publish(1, events)

    assert (log.refusal is not None) is refused


async def test_readers_of_a_dropped_log_get_an_error_and_later_events_are_ignored() -> None:
    log = make_log("a")
    waiting = asyncio.create_task(log.wait_for_end())
    await loop_turns(1)

    log.drop(ServiceError("gone"))
    log.publish(3, text_deltas("b"))

    with pytest.raises(ServiceError, match="no longer kept"):
        await waiting
    with pytest.raises(ServiceError, match="no longer kept"):
        log.take(0)
    assert (log.size, log.events) == (0, [])


def test_the_size_of_an_event_grows_with_its_text() -> None:
    assert size_of(TextDelta(0, "x" * 1000)) > 1000
    assert size_of(ToolCallDelta(0, "x" * 1000)) > 1000
    assert size_of(GuardrailTrace({})) > 0


async def test_the_cache_evicts_the_oldest_finished_log_when_memory_is_short() -> None:
    cache = StreamCache(ttl_s=60, memory_bytes=3 * make_log(*["word"] * 50).size)
    running = make_log("a")
    cache.add(running)
    logs = [make_log(*["word"] * 50, end=True) for _ in range(5)]
    for log in logs:
        cache.add(log)

    assert [log.stream_id in cache for log in logs] == [False, False, False, True, True]
    assert running.stream_id in cache
    assert cache.evicted == 3
    with pytest.raises(ServiceError, match="no longer kept"):
        logs[0].take(0)


async def test_the_cache_counts_the_growth_of_its_logs() -> None:
    cache = StreamCache(ttl_s=60, memory_bytes=1 << 20)
    log = StreamLog(record())
    cache.add(log)
    log.publish(1, [start(log), *text_deltas("a"), DONE])
    assert cache.size == log.size > 0

    cache.remove(log)
    cache.remove(log)

    assert (cache.size, len(cache)) == (0, 0)


async def test_the_cache_has_no_capacity_while_running_logs_fill_it() -> None:
    cache = StreamCache(ttl_s=60, memory_bytes=100)
    log = make_log("a")
    cache.add(log)
    with pytest.raises(ServiceError, match="fill"):
        cache.check_capacity()

    log.publish(3, [DONE])  # finished, so it can be evicted

    cache.check_capacity()
    assert cache.get(log.stream_id) is None


async def test_a_cancelled_log_has_the_state_cancelled() -> None:
    log = make_log("a")
    log.publish(3, [CANCELLED])

    assert log.state == "cancelled"
    assert (await read_all(log))[-1] == CANCELLED


def test_ids_are_recognised() -> None:
    stream_id = new_stream_id()

    assert parse_stream_id(stream_id) == stream_id
    assert parse_event_id(f"{stream_id}-12") == (stream_id, 12)
    assert parse_event_id(f"{NOWHERE}-0") == (NOWHERE, 0)


@pytest.mark.parametrize("text", ["", "x", "0" * 31, "g" * 32, "0" * 33, f"{'0' * 32}\n", "\u0660" * 32])
def test_an_invalid_stream_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_stream_id(text)
    assert refusal.value.status == 400


@pytest.mark.parametrize("tail", ["", "-", "-x", "-01", "--1", "-1.0", "-1 ", "-\u0661", "-" + "9" * 19])
def test_an_invalid_event_id_is_refused(tail: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_event_id("0" * 32 + tail)
    assert refusal.value.status == 400


@given(st.lists(st.text(min_size=1), min_size=1))
def test_any_text_is_decoded_as_it_was_encoded(texts: list[str]) -> None:
    events = text_deltas(*(text.encode("utf-8", "ignore").decode() for text in texts))

    assert decode_events(encode_events(events)) == events


@pytest.mark.parametrize("value", ["\ud83d", 1 << 70, object()], ids=["half a pair", "a large number", "no value"])
def test_a_value_that_cannot_be_encoded_raises(value: object) -> None:
    with pytest.raises(Unwritable):
        encode_events([GuardrailTrace({"x": value})])


def test_a_record_is_decoded_as_it_was_encoded() -> None:
    before = record(on_disconnect="drain")

    assert decode_record(encode_record(before)) == before


@pytest.mark.parametrize(
    "stored", [b"", b"\xff", encode_record(record()), b'["x"]', encode_events(text_deltas("a"))[:-1]]
)
def test_foreign_bytes_are_not_decoded_as_events(stored: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_events(stored)


def test_foreign_bytes_are_not_decoded_as_a_record() -> None:
    with pytest.raises(Unreadable):
        decode_record(encode_events(text_deltas("a")))


def test_every_stop_reason_is_decoded_as_it_was_encoded() -> None:
    ends = [Done(reason, None, DONE.usage, DONE.metrics) for reason in StopReason]

    assert list(itertools.chain(decode_events(encode_events(ends)))) == ends
