"""Coming back to a stream at any replica, however the connection broke (docs/resuming.md)."""

import asyncio
import random

from tests.failover.conftest import Pair
from tests.failover.processes import Replica, http
from tests.failover.proxy import proxy
from tests.failover.reader import Reader, question
from tests.harness import Json, text_of
from tests.waiting import eventually

UNKNOWN = "0123456789abcdef" * 2
SSE_CALLS = [
    ("GET", "/api/generate"),
    ("GET", "/api/generate?prompt=Something+else"),
    ("POST", "/api/generate"),
    ("POST", "/api/generate/stream"),
    ("GET", "/api/streams/{stream_id}"),
]


async def test_any_replica_has_the_rest_from_every_event_on_and_nothing_after_the_last(pair: Pair) -> None:
    reader = Reader(pair.here, body=question())
    await reader.run()
    async with http(pair.here.url) as here, http(pair.there.url) as there:
        *blocks, _ = (await here.get(f"/api/streams/{reader.stream_id}")).content.split(b"\n\n")
        for n in range(len(blocks)):
            last = {"Last-Event-ID": f"{reader.stream_id}-{n}"}
            assert (await there.get("/api/generate", headers=last)).content.split(b"\n\n")[:-1] == blocks[n:]
            by_number = await there.get(f"/api/streams/{reader.stream_id}?after={n}")
            assert by_number.content.split(b"\n\n")[:-1] == blocks[n:]
        for method, path in SSE_CALLS:
            for replica in (here, there):
                last = {"Last-Event-ID": reader.events[-1].id}
                over = await replica.request(method, path.format(stream_id=reader.stream_id), headers=last)
                assert (over.status_code, over.content) == (204, b"")
    assert len(await pair.bedrock.calls(reader.stream_id)) == 1


async def test_many_readers_at_once_see_the_same_while_it_is_live_whenever_they_come(pair: Pair) -> None:
    first = Reader(pair.here, body=question())
    async with asyncio.TaskGroup() as readers:
        readers.create_task(first.run())
        others: list[Reader] = []
        for count in (1, 2, 8, 15):
            await first.has(count)
            others += [Reader(pair.replicas[n % 2], stream_id=first.stream_id) for n in range(10)]
            for other in others[-10:]:
                readers.create_task(other.run())

    for other in others:
        assert other.events == first.events
    assert len(await pair.bedrock.calls(first.stream_id)) == 1


async def test_a_connection_that_is_cut_anywhere_is_come_back_from_at_another_replica(pair: Pair) -> None:
    chance = random.Random(3)  # noqa: S311 - a test's
    whole = Reader(pair.here, body=question())
    await whole.run()

    async with proxy(pair.here.port, pair.there.port, cut=lambda _: chance.randrange(300, 1200)) as way:
        readers = [
            Reader(way.url, body=question(), headers={"Idempotency-Key": chance.randbytes(8).hex()}) for _ in "12345678"
        ]
        await asyncio.gather(*(reader.run() for reader in readers))

        assert way.connections > 5 * len(readers)
    for reader in readers:
        assert reader.text == whole.text
        assert len(await pair.bedrock.calls(reader.stream_id)) == 1


async def test_a_cut_at_any_byte_of_an_answer_loses_nothing(pair: Pair) -> None:
    whole = Reader(pair.here, body=question(prompt='Say "水🚀é"'))
    await whole.run()
    async with http(pair.there.url) as there:
        answer = (await there.get(f"/api/streams/{whole.stream_id}")).content
    assert "水🚀é" in whole.text
    assert b"\xe6\xb0\xb4" in answer  # as UTF-8, so that a cut can go through it

    cuts = iter(range(0, len(answer) + 900, 2))  # and through its head, and the marks of its chunks
    async with proxy(pair.here.port, pair.there.port, cut=lambda _: next(cuts, None)) as way:
        while next(cuts, None) is not None:
            readers = [Reader(way.url, stream_id=whole.stream_id) for _ in range(20)]
            await asyncio.gather(*(reader.run() for reader in readers))
            for reader in readers:
                assert reader.events == whole.events


async def test_who_comes_back_in_that_moment_to_a_replica_that_lags_behind_is_not_refused(pair: Pair) -> None:
    """What one replica has shown another one has within milliseconds, and EventSource would stop at an error."""
    reader = Reader(pair.here, body=question())
    async with asyncio.TaskGroup() as others:
        while not reader.end:
            async with reader.connected() as chunks:
                await reader.take(chunks, until=len(reader.events) + 1)
            if reader.connections == 1:  # somebody else is there already, so that each replica follows the stream
                for replica in pair.replicas:
                    others.create_task(Reader(replica, stream_id=reader.stream_id).run())
            reader.to = pair.replicas[reader.connections % 2]
    assert reader.connections > 10


async def test_what_is_no_id_and_what_is_nobodys_is_told_by_every_replica(pair: Pair) -> None:
    for replica in pair.replicas:
        async with http(replica.url) as service:
            for wrong in ("nonsense", UNKNOWN, f"{UNKNOWN}-x"):
                answer = await service.get("/api/generate", headers={"Last-Event-ID": wrong})
                assert (answer.status_code, answer.json()["code"]) == (400, "validation")
            for answer in (
                await service.get("/api/generate", headers={"Last-Event-ID": f"{UNKNOWN}-1"}),
                await service.get(f"/api/streams/{UNKNOWN}"),
                await service.delete(f"/api/streams/{UNKNOWN}"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (410, "gone")


async def test_every_replica_tells_where_a_stream_stands(pair: Pair) -> None:
    reader = Reader(pair.here, body=question(), headers={"X-Artesian-Fault": "gate@8"})
    async with reader.connected() as chunks:
        await reader.take(chunks, until=9)
        live = await pair.there.state(reader.stream_id)
        (call,) = await pair.bedrock.calls(reader.stream_id)
        await pair.bedrock.release(call)
    await reader.run()

    assert (live["state"], live["usage"], live["error"]) == ("streaming", None, None)
    assert live["resumable"] is True
    assert live["text"] == text_of(reader.events[: live["last_event"]])
    for replica in pair.replicas:

        async def ended(replica: Replica = replica) -> Json | None:
            told = await replica.state(reader.stream_id)
            return told if told["state"] == "done" else None  # the other one has the end within milliseconds

        done: Json = await eventually(ended)
        assert (done["text"], done["last_event"]) == (reader.text, len(reader.events))
        assert done["usage"] == reader.events[-1].data["usage"]
